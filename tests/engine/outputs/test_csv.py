import csv
import io
from dataclasses import replace

import pytest
import samples

from engine.outputs import OUTPUTS

output = OUTPUTS["csv"]


def rows(analysis, context):
    return list(csv.DictReader(io.StringIO(output.header + output.write(analysis, context))))


def test_a_row_for_every_finding_and_suggestion(context):
    found = rows(samples.analysis(), context)
    assert [row["kind"] for row in found] == ["finding"] * 3 + ["suggestion"] * 3
    assert found[0]["technique"] == "T1547.001"
    assert found[0]["tactics"] == "Persistence; Privilege Escalation"
    assert found[0]["evidence"] == "Run keys kept it alive (T1547.001)."
    assert found[0]["explicit"] == "yes"
    assert found[0]["page"] == "1"
    assert found[5]["evidence"] == ""


@pytest.mark.parametrize(
    "text",
    ["=cmd|'/c calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "  =1", "\uff1d1", "\x00=1", "%0A=1"],
)
def test_no_cell_is_a_formula(context, text):
    doc = samples.document([("prose", 1, text)], name=text)
    finding = replace(
        samples.analysis().findings[0], name=text, evidence=(samples.evidence(doc, 0, 0.9),)
    )
    found = rows(samples.analysis(document=doc, findings=(finding,)), context)[0]
    for column in ("document", "name", "evidence"):
        assert found[column].startswith("'")


def test_line_breaks_and_quotes_stay_in_their_cell(context):
    doc = samples.document([("prose", 1, 'a "b",\r\nc\n=d')])
    finding = replace(samples.analysis().findings[0], evidence=(samples.evidence(doc, 0, 0.9),))
    found = rows(samples.analysis(document=doc, findings=(finding,), suggestions=()), context)
    assert [row["evidence"] for row in found] == ['a "b", c =d']
