import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import samples
from lxml import html as lxml_html
from markdown_it import MarkdownIt
from stix2validator import ValidationOptions, validate_string

from engine.errors import UsageError
from engine.outputs import OUTPUTS, Threat
from engine.types import Finding

write = OUTPUTS["stix"].write

# What a strict run would still refuse, on purpose:
#   uuid-check: our ids are UUIDs of version 5, so that the same analysis gives the same bundle;
#   extref-hashes: nobody can state a hash of a page of attack.mitre.org;
#   relationship-types: subtechnique-of is MITRE's own relationship.
ON_PURPOSE = "uuid-check,extref-hashes,relationship-types"


def bundle(analysis, context):
    text = write(analysis, context)
    result = validate_string(
        text, ValidationOptions(version="2.1", strict=True, disabled=ON_PURPOSE)
    )
    assert result.is_valid, [str(error) for error in result.errors]
    return json.loads(text)["objects"]


def of_type(objects, kind):
    return [value for value in objects if value["type"] == kind]


def test_default_checks_pass(context):
    assert validate_string(write(samples.analysis(), context)).is_valid


def test_no_reference_leads_nowhere(context):
    objects = bundle(samples.analysis(), replace(context, threat=Threat("tool", "x")))
    known = {value["id"] for value in objects}
    assert len(known) == len(objects)
    for value in objects:
        refs = [v for k, v in value.items() if k.endswith("_ref")]
        assert {*refs, *value.get("object_refs", [])} <= known


def test_the_report_refers_to_findings_only(context):
    objects = bundle(samples.analysis(), context)
    (report,) = of_type(objects, "report")
    named = {
        o["id"]: o["external_references"][0]["external_id"]
        for o in of_type(objects, "attack-pattern")
    }
    assert {named[ref] for ref in report["object_refs"]} == {"T1547.001", "T1059.001", "T1071"}


def test_attack_patterns_are_mitres(context):
    objects = bundle(samples.analysis(), context)
    found = {
        o["external_references"][0]["external_id"]: o for o in of_type(objects, "attack-pattern")
    }
    shell = found["T1059.001"]
    assert shell["id"] == context.knowledge.technique("T1059.001").stix_id
    assert shell["name"] == "PowerShell"
    assert shell["created_by_ref"] == "identity--c78cb6e5-0c4b-4611-8297-d1b8b55e40b5"
    assert shell["modified"] < "2017-06"
    reference = shell["external_references"][0]
    assert reference["source_name"] == "mitre-attack"
    assert reference["url"] == "https://attack.mitre.org/techniques/T1059/001/"
    assert shell["kill_chain_phases"] == [
        {"kill_chain_name": "mitre-attack", "phase_name": "execution"}
    ]
    assert "description" not in shell, "MITRE's descriptions are left alone"
    ties = of_type(objects, "relationship")
    assert {(t["relationship_type"], t["target_ref"]) for t in ties} >= {
        ("subtechnique-of", found["T1059"]["id"])
    }


def test_kill_chains_of_the_other_domains(context):
    mobile = context.knowledge.techniques("mobile")[0]
    ics = context.knowledge.techniques("ics")[0]
    more = tuple(Finding(t.id, t.name, 0.8, False, ()) for t in (mobile, ics))
    objects = bundle(samples.analysis(findings=more, inferences=()), context)
    chains = {
        phase["kill_chain_name"]
        for pattern in of_type(objects, "attack-pattern")
        for phase in pattern["kill_chain_phases"]
    }
    assert chains == {"mitre-mobile-attack", "mitre-ics-attack"}


def test_inferences_stand_in_a_note_of_their_own(context):
    objects = bundle(samples.analysis(), context)
    evidence, inferred = of_type(objects, "note")
    assert "T1105" in inferred["content"]
    assert "T1105" not in evidence["content"]
    assert "T1566.001" in evidence["content"]
    assert "p. 1" in evidence["content"]
    assert "2026.11-test" in evidence["content"]
    report = of_type(objects, "report")[0]["id"]
    assert inferred["object_refs"] == [report]
    assert report in evidence["object_refs"]


def test_text_of_the_document_is_no_markdown(context):
    text = "a | b [x](http://evil.example) <img src=x> `c` **d** &lt; www.d.e ~~f~~"
    doc = samples.document([("prose", 1, text)])
    finding = Finding("T1071", "x", 0.8, False, (samples.evidence(doc, 0, 0.8),))
    objects = bundle(samples.analysis(document=doc, findings=(finding,), suggestions=()), context)
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(
        of_type(objects, "note")[0]["content"]
    )
    tree = lxml_html.fromstring(f"<div>{shown}</div>")
    assert [cell.text_content() for cell in tree.iter("td")][4] == text
    assert [link.get("href") for link in tree.iter("a")] == [
        "https://attack.mitre.org/techniques/T1071/"
    ]
    assert not list(tree.iter("img", "code", "s"))


def test_the_same_analysis_gives_the_same_bundle(context):
    dated = replace(context, published=datetime(2024, 5, 1, tzinfo=UTC))
    assert write(samples.analysis(), dated) == write(samples.analysis(), dated)
    assert of_type(bundle(samples.analysis(), dated), "report")[0]["published"].startswith(
        "2024-05-01"
    )
    other = samples.analysis(suggestions=())
    assert (
        json.loads(write(other, dated))["id"] != json.loads(write(samples.analysis(), dated))["id"]
    )


@pytest.mark.parametrize("kind", ["campaign", "intrusion-set", "malware", "threat-actor", "tool"])
def test_a_named_threat_uses_the_findings(context, kind):
    named = replace(context, threat=Threat.parse(f"{kind}:Sandworm: Team"))
    objects = bundle(samples.analysis(), named)
    uses = [o for o in of_type(objects, "relationship") if o["relationship_type"] == "uses"]
    assert len(uses) == 3
    assert {o["source_ref"] for o in uses} == {of_type(objects, kind)[0]["id"]}
    assert uses[0]["confidence"] == 99
    assert "Run keys" in uses[0]["description"]
    assert of_type(objects, kind)[0]["name"] == "Sandworm: Team"


@pytest.mark.parametrize("text", ["FIN7", "group:FIN7", "malware:", "malware: "])
def test_what_is_no_threat_is_refused(text):
    with pytest.raises(UsageError, match="TYPE:NAME"):
        Threat.parse(text)


def test_nothing_found_is_still_a_valid_report(context):
    objects = bundle(samples.bare(), context)
    assert of_type(objects, "attack-pattern") == []
    assert len(of_type(objects, "report")) == 1
