"""Tags in the letters of the instance's own galaxies and taxonomies."""

from __future__ import annotations

import pytest
from misp_double.double import taxonomy

from engine.knowledge import Knowledge
from misp_module.tags import (
    ATTACK_PATTERN,
    ICS,
    PROVENANCE,
    Clusters,
    likelihood,
    names_of,
    shipped,
    technique_of,
)


@pytest.fixture(scope="module")
def knowledge():
    return Knowledge.load()


def test_provenance_and_likelihood_are_tags_of_the_real_taxonomies():
    assert set(PROVENANCE) <= set(taxonomy("ai-computer-assisted"))
    words = {likelihood(percent / 100) for percent in range(101)}
    assert words <= set(taxonomy("estimative-language"))
    assert len(words) == 6


@pytest.mark.parametrize(
    ("probability", "word"),
    [(0.0, "very-unlikely"), (0.2, "unlikely"), (0.45, "roughly-even"), (0.549, "roughly-even"),
     (0.55, "likely"), (0.8, "very-likely"), (0.95, "almost-certain"), (1.0, "almost-certain")],
)  # fmt: skip
def test_likelihood_by_the_taxonomys_values(probability, word):
    assert f'="{word}' in likelihood(probability)


def test_a_sub_technique_carries_its_own_name_only(knowledge):
    tag = shipped().tag("T1566.001", knowledge)
    assert tag == 'misp-galaxy:mitre-attack-pattern="Spearphishing Attachment - T1566.001"'


def test_every_domain_has_its_galaxy(knowledge):
    clusters = shipped()
    for domain in ("enterprise", "mobile", "ics"):
        known = [
            technique
            for technique in knowledge.techniques(domain)
            if any(technique.id in names for names in clusters.names.values())
        ]
        assert len(known) > 0.75 * len(knowledge.techniques(domain)), domain


def test_every_tag_is_read_back_as_its_technique(knowledge):
    clusters = shipped()
    for technique in knowledge.techniques():
        tag = clusters.tag(technique.id, knowledge)
        assert technique_of(tag, knowledge) == technique.id
        assert (ICS in tag) == (technique.domains == ("ics",))


def test_names_come_from_the_instance_where_they_differ(knowledge):
    renamed = {ATTACK_PATTERN: {"T1566": "Phishing by Post - T1566"}}
    tag = Clusters(renamed, "instance").tag("T1566", knowledge)
    assert tag == 'misp-galaxy:mitre-attack-pattern="Phishing by Post - T1566"'


def test_a_technique_without_a_cluster_is_told_where_it_is_known():
    clusters = Clusters({ATTACK_PATTERN: {}}, "instance", frozenset({"estimative-language"}))
    remarks = " ".join(clusters.remarks(["T1566"]))

    assert "T1566" in remarks
    assert "estimative-language" in remarks
    assert Clusters({}, "pymispgalaxies").remarks(["T1566"]) == []


@pytest.mark.parametrize(
    ("tag", "technique"),
    [
        ('misp-galaxy:mitre-attack-pattern="PowerShell - T1059.001"', "T1059.001"),
        ('misp-galaxy:mitre-enterprise-attack-attack-pattern="PowerShell - T1086"', "T1059.001"),
        ('misp-galaxy:mitre-ics-techniques="Activate Firmware Update Mode"', "T0800"),
        ('misp-galaxy:mitre-attack-pattern="No Such Thing - T9999"', None),
        ('misp-galaxy:threat-actor="APT28"', None),
        ("tlp:green", None),
    ],
)
def test_tags_are_read_by_id_from_old_galaxies_too(tag, technique, knowledge):
    assert technique_of(tag, knowledge) == technique


def test_clusters_are_read_as_the_api_writes_them(knowledge):
    element = {"value": "Odd Name", "GalaxyElement": [{"key": "external_id", "value": "T1566"}]}
    assert names_of([element, {"value": "Plain - T1059"}, {"value": "none"}], knowledge) == {
        "T1566": "Odd Name",
        "T1059": "Plain - T1059",
    }
