import json
from pathlib import Path

import jsonschema
import pytest
import samples

from engine.outputs import OUTPUTS
from engine.types import Finding, Inference

SCHEMA = json.loads((Path(__file__).parent / "layer-4.5.schema.json").read_text())
write = OUTPUTS["navigator"].write


def layers(analysis, context):
    content = json.loads(write(analysis, context))
    jsonschema.Draft202012Validator(SCHEMA).validate(content)
    return content if isinstance(content, list) else [content]


def by_id(layer):
    found = {entry["techniqueID"]: entry for entry in layer["techniques"]}
    assert len(found) == len(layer["techniques"]), "a technique stands twice"
    return found


def test_a_layer_of_one_domain(context):
    (layer,) = layers(samples.analysis(), context)
    assert layer["domain"] == "enterprise-attack"
    assert layer["versions"] == {"attack": "18", "navigator": "5.2.0", "layer": "4.5"}
    found = by_id(layer)
    assert found["T1547.001"]["score"] == 99.1
    assert "Run keys kept it alive (T1547.001).” (p. 1)" in found["T1547.001"]["comment"]
    assert {"name": "Pages", "value": "1, 2"} in found["T1547.001"]["metadata"]
    assert "color" not in found["T1547.001"]


def test_parents_of_sub_techniques_are_open(context):
    found = by_id(layers(samples.analysis(), context)[0])
    assert found["T1547"] == {"techniqueID": "T1547", "showSubtechniques": True}
    finding = Finding("T1059", "Command and Scripting Interpreter", 0.7, False, ())
    both = samples.analysis(findings=(finding, *samples.analysis().findings))
    listed = by_id(layers(both, context)[0])["T1059"]
    assert listed["showSubtechniques"] is True
    assert listed["score"] == 70


def test_suggestions_and_inferences_have_colours_that_the_legend_names(context):
    (layer,) = layers(samples.analysis(), context)
    found = by_id(layer)
    legend = {item["color"] for item in layer["legendItems"]}
    assert found["T1566.001"]["color"] in legend
    assert found["T1105"]["color"] in legend
    assert found["T1105"]["color"] != found["T1566.001"]["color"]
    assert "score" not in found["T1105"], "an inference has no probability"
    assert "T1059.001" in found["T1105"]["comment"]


def test_every_domain_gets_a_layer(context):
    mobile = context.knowledge.techniques("mobile")[0]
    ics = context.knowledge.techniques("ics")[0]
    more = tuple(Finding(t.id, t.name, 0.8, False, ()) for t in (mobile, ics))
    found = layers(samples.analysis(findings=samples.analysis().findings + more), context)
    assert [layer["domain"] for layer in found] == [
        "enterprise-attack",
        "mobile-attack",
        "ics-attack",
    ]
    assert mobile.id in by_id(found[1])
    assert mobile.id not in by_id(found[0])


def test_a_finding_outweighs_an_inference_of_the_same_technique(context):
    twice = samples.analysis(inferences=(Inference("T1059.001", "PowerShell", 0.9),))
    assert by_id(layers(twice, context)[0])["T1059.001"]["score"] == 87


def test_nothing_found_is_an_empty_layer(context):
    (layer,) = layers(samples.bare(), context)
    assert layer["techniques"] == []


@pytest.mark.parametrize(
    "broken",
    [
        {"versions": {"navigator": "5.2.0", "layer": "4.4"}},
        {"domain": "mitre-enterprise"},
        {"gradient": {"colors": ["#fff"], "minValue": 0, "maxValue": 100}},
        {"techniques": [{"techniqueID": "T1", "score": "high"}]},
        {"surprise": 1},
    ],
)
def test_the_schema_refuses_what_the_format_does(context, broken):
    layer = json.loads(write(samples.analysis(), context)) | broken
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(layer)
