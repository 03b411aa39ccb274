from dataclasses import replace

import pytest
import samples

from engine.outputs import OUTPUTS

write = OUTPUTS["table"].write


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_every_line_fits_and_nothing_is_lost(context, width):
    text = write(samples.analysis(), replace(context, width=width))
    assert max(map(len, text.splitlines())) <= width
    for expected in (
        "T1547.001",
        "T1059.001",
        "T1566.001",
        "T1105",
        "99%",
        "p.\u00a02",
        "Persistence",
    ):
        assert expected in text
    assert "Warning: Pages 2 to 3" in text
    assert "named" in text
    assert ("Command and Control" in text.split("Suggestions")[0]) == (width >= 110)


def test_the_whole_sentence_is_shown_where_evidence_is_an_id(context):
    assert "Run keys kept it alive" in write(samples.analysis(), replace(context, width=160))


def test_text_of_the_document_neither_styles_nor_commands_the_terminal(context):
    lines = [("prose", 1, "[bold]x[/bold] \x1b]0;owned\x07\x1b[31mred\u202e :smile:")]
    doc = samples.document(lines, name="a\x1b[2Jb.txt")
    finding = replace(
        samples.analysis().findings[0], evidence=(samples.evidence(doc, 0, 0.9),), name="[red]n"
    )
    analysis = samples.analysis(document=doc, findings=(finding,), suggestions=())
    text = write(analysis, context)
    assert "[bold]x[/bold]" in text
    assert ":smile:" in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_colour_is_only_for_terminals(context):
    assert "\x1b[" not in write(samples.analysis(), context)
    assert "\x1b[" in write(samples.analysis(), replace(context, colour=True))


def test_nothing_found_is_said(context):
    assert "No technique reaches this operating point." in write(samples.bare(), context)
