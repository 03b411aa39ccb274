"""The engine with the release that ships: whatever recognizers that has."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from engine import Engine
from engine.documents import from_sentences, from_text
from engine.errors import UsageError
from engine.knowledge import Knowledge
from engine.knowledge import facts as facts_file
from engine.knowledge.facts import Source
from engine.knowledge.types import Withdrawn

TEXT = """The actors sent spearphishing emails with a malicious Word attachment.
Once it was opened, a macro ran PowerShell to download a second payload from the server.
They dumped the memory of LSASS with Mimikatz to steal passwords.
The malware created a scheduled task and a Run key to survive a reboot.
It sends the data to its C2 server over HTTPS.
Files were encrypted with AES and shadow copies deleted (T1490).
"""


@pytest.fixture(scope="module")
def example(project):
    return from_text((project / "examples" / "copper-lantern.md").read_text(encoding="utf-8"))


def techniques(findings):
    return {finding.technique for finding in findings}


def test_it_finds_what_a_text_describes_and_proves_it(engine):
    document = from_text(TEXT)
    analysis = engine.analyse(document)
    assert {"T1059.001", "T1003.001", "T1053.005", "T1490"} <= techniques(analysis.findings)
    for finding in (*analysis.findings, *analysis.suggestions):
        assert finding.evidence, f"{finding.technique} comes without evidence"
        for evidence in finding.evidence:
            sentence = document.sentences[evidence.sentence]
            assert sentence.start <= evidence.start < evidence.end
            assert document.text[evidence.start : evidence.end]
    explicit = {f.technique: f.explicit for f in analysis.findings}
    assert explicit["T1490"]
    assert not explicit["T1003.001"]
    assert analysis.release == engine.release.name


def test_a_text_of_something_else_has_no_findings(engine):
    text = "The museum opens at nine. Tickets cost ten euros, and children enter free of charge."
    analysis = engine.analyse(from_text(text))
    assert analysis.findings == ()
    assert analysis.inferences == ()


def test_nothing_at_all_is_no_obstacle(engine):
    assert engine.analyse(from_sentences([""], "nothing")).findings == ()


def test_the_same_document_gives_the_same_analysis(engine, example):
    once = engine.analyse(example)
    assert once == engine.analyse(example)
    assert once == Engine.open().analyse(example)


def test_threads_share_an_engine(engine, example):
    alone = [engine.analyse(from_text(TEXT)), engine.analyse(example)]
    documents = [from_text(TEXT), example] * 4
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(engine.analyse, documents))
    assert together == alone * 4


def test_each_operating_point_finds_all_that_a_stricter_one_does(engine, example):
    names = ("precise", "balanced", "sensitive")
    precise, balanced, sensitive = (engine.analyse(example, name) for name in names)
    parents = engine.knowledge.with_parents  # a parent gives way to its sub-technique
    assert techniques(precise.findings) <= parents(techniques(balanced.findings))
    assert techniques(balanced.findings) <= parents(techniques(sensitive.findings))
    assert len(precise.findings) < len(balanced.findings) < len(sensitive.findings)
    said = {f.technique: f.probability for f in sensitive.findings}
    assert all(said.get(f.technique, f.probability) == f.probability for f in precise.findings)


def test_findings_and_suggestions_keep_to_the_thresholds(engine, example):
    analysis = engine.analyse(example)
    point = engine.release.manifest.operating_point("balanced")
    assert all(f.probability >= point.write_threshold for f in analysis.findings)
    for suggestion in analysis.suggestions:
        assert point.suggest_threshold <= suggestion.probability < point.write_threshold
    assert techniques(analysis.findings).isdisjoint(techniques(analysis.suggestions))
    own = engine.analyse(example, threshold=0.9)
    assert techniques(own.findings) < engine.knowledge.with_parents(techniques(analysis.findings))
    assert all(f.probability >= 0.9 for f in own.findings)


@pytest.mark.parametrize("call", [{"operating_point": "bold"}, {"threshold": 1.5}])
def test_wrong_calls_are_named(engine, call):
    with pytest.raises(UsageError):
        engine.analyse(from_text(TEXT), **call)


def test_warnings_of_the_document_are_passed_on(engine):
    document = replace(from_text(TEXT), warnings=("two pages are pictures",))
    assert engine.analyse(document).warnings == ("two pages are pictures",)


def test_a_release_speaks_the_ids_of_newer_knowledge(engine, tmp_path):
    """T1059.001 becomes T1777.001: the release, made before, is read with the new ids."""
    shipped = Knowledge.load().facts
    old = next(t for t in shipped.techniques if t.id == "T1059.001")
    parent = next(t for t in shipped.techniques if t.id == "T1059")
    newer = replace(
        shipped,
        sources={**shipped.sources, "enterprise": Source("99.0", "a test")},
        techniques=tuple(
            sorted(
                (
                    *(t for t in shipped.techniques if t.id != old.id),
                    replace(parent, id="T1777", stix_id=f"{parent.stix_id[:-1]}0"),
                    replace(old, id="T1777.001", stix_id=f"{old.stix_id[:-1]}0"),
                ),
                key=lambda t: t.id,
            )
        ),
        withdrawn=(
            *shipped.withdrawn,
            Withdrawn(old.id, old.name, "enterprise", "revoked", "T1777.001"),
        ),
    )
    path = tmp_path / "attack.json"
    facts_file.write(newer, path)
    knowledge = Knowledge.load(path)
    before = engine.analyse(from_text(TEXT))
    after = Engine.open(knowledge=knowledge).analyse(from_text(TEXT))
    assert "T1059.001" in techniques(before.findings)
    assert "T1777.001" in techniques(after.findings)
    assert "T1059.001" not in techniques(after.findings) | techniques(after.suggestions)
    assert after.attack_version == knowledge.version


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="tells the cores of Linux")
def test_the_number_of_cores_does_not_matter(engine, example):
    cores = os.sched_getaffinity(0)
    whole = engine.analyse(example)
    try:
        os.sched_setaffinity(0, {min(cores)})
        assert Engine.open().analyse(example) == whole
    finally:
        os.sched_setaffinity(0, cores)
