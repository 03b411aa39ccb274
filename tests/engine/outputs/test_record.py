"""The machine interface: JSON and JSON lines."""

import json
from dataclasses import replace

import numpy as np
import pytest
import samples

from engine.outputs import OUTPUTS

FIXED = ["id", "findings", "suggestions", "tactics", "sentences", "release"]


def read(text):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_keys_and_their_order_are_fixed(context):
    values = read(OUTPUTS["jsonl"].write(samples.analysis(), context))
    assert list(values) == [*FIXED, "inferences", "warnings"]
    finding = values["findings"][0]
    assert list(finding) == ["technique", "name", "probability", "explicit", "evidence"]
    keys = ["sentence", "start", "end", "text", "recognizer", "probability"]
    assert list(finding["evidence"][0])[:6] == keys
    assert list(values["tactics"][0]) == ["tactic", "probability"]
    assert list(values["sentences"][0]) == ["index", "techniques"]
    assert list(values["sentences"][0]["techniques"][0]) == ["technique", "probability"]
    assert list(values["inferences"][0]) == ["technique", "name", "score", "because"]
    assert values["inferences"][0]["because"][0] == {"technique": "T1059.001", "weight": 0.6}


def test_an_analysis_of_nothing_has_the_fixed_keys_only(context):
    values = read(OUTPUTS["json"].write(samples.bare(), context))
    assert list(values) == FIXED
    assert values["findings"] == []


def test_evidence_offsets_lead_back_to_the_text(context):
    analysis = samples.analysis()
    values = read(OUTPUTS["json"].write(analysis, context))
    for finding in values["findings"] + values["suggestions"]:
        for evidence in finding["evidence"]:
            found = analysis.document.text[evidence["start"] : evidence["end"]]
            assert found == evidence["text"]


@pytest.mark.parametrize("identifier", [None, 0, 1.5, True, "", "é\u2028\ud800", [1, {"a": None}]])
def test_ids_of_any_json_type_come_back(context, identifier):
    text = OUTPUTS["jsonl"].write(samples.bare(), replace(context, identifier=identifier))
    assert text.isascii()
    assert text.count("\n") == 1
    assert read(text)["id"] == identifier


def test_probabilities_have_four_decimals_also_from_numpy(context):
    analysis = samples.analysis()
    odd = replace(analysis.findings[0], probability=np.float32(0.1))
    values = read(OUTPUTS["json"].write(replace(analysis, findings=(odd,)), context))
    assert values["findings"][0]["probability"] == 0.1
    assert read(OUTPUTS["jsonl"].write(analysis, context))["findings"][0]["probability"] == 0.9912


def test_a_score_that_is_no_number_is_refused(context):
    analysis = samples.analysis()
    broken = replace(analysis.findings[0], probability=float("nan"))
    with pytest.raises(ValueError, match="not a score"):
        OUTPUTS["json"].write(replace(analysis, findings=(broken,)), context)


def test_json_shows_letters_as_they_are(context):
    named = samples.document(name="Отчёт.pdf")
    text = OUTPUTS["json"].write(samples.analysis(document=named), context)
    assert '"id": "Отчёт.pdf"' in text
