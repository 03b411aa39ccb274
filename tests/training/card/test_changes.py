"""What changed from the champion is counted right and shown by the right sentence."""

from __future__ import annotations

import pytest

from engine.knowledge import Knowledge
from training.card import changes
from training.evaluation import Prediction, label_list
from training.labels import Example, LabelledDocument

POWERSHELL, RANSOM, LSASS = "T1059.001", "T1486", "T1003.001"


def _document(name: str, *lines: tuple[str, frozenset[str]], known: frozenset[str] | None = None):
    sentences = tuple(
        Example(text, techniques, id=f"{name}-{place}", document=name)
        for place, (text, techniques) in enumerate(lines)
    )
    shown = frozenset().union(*(techniques for _, techniques in lines))
    return LabelledDocument(name, "", shown, sentences, known=known, title=f"Report {name}")


def _said(document: LabelledDocument, *found: str, at: dict[int, str] | None = None) -> Prediction:
    by_sentence = tuple(
        frozenset([at[place]]) if at and place in at else frozenset()
        for place in range(len(document.sentences))
    )
    return Prediction(document, frozenset(found), sentences=by_sentence)


ONE = _document("one", ("It ran powershell.", frozenset([POWERSHELL])), ("It rained.", frozenset()))
TWO = _document("two", ("Files were encrypted.", frozenset([RANSOM])), ("Bye.", frozenset()))
PARTLY = _document(
    "partly", ("It ran powershell.", frozenset([POWERSHELL])), known=frozenset([POWERSHELL])
)


def test_better_and_worse_with_their_sentences(knowledge: Knowledge) -> None:
    before = [_said(ONE), _said(TWO, RANSOM, at={0: RANSOM})]
    after = [
        _said(ONE, POWERSHELL, LSASS, at={0: POWERSHELL, 1: LSASS}),
        _said(TWO),
    ]
    found = changes("old", before, after, label_list("all", knowledge))
    by_technique = {change.technique: change for change in found.changed}
    assert [change.technique for change in found.changed] == [POWERSHELL, LSASS, RANSOM]
    better = by_technique[POWERSHELL]
    assert (better.before, better.after, better.support) == (0.0, 1.0, 1)
    assert better.examples[0].outcome == "now found"
    assert better.examples[0].sentence == "It ran powershell."
    assert by_technique[LSASS].examples[0].outcome == "now wrong"
    assert by_technique[LSASS].examples[0].sentence == "It rained."
    assert by_technique[RANSOM].examples[0].outcome == "now missed"
    assert by_technique[RANSOM].examples[0].sentence == "Files were encrypted."


def test_what_nobody_looked_for_is_no_change(knowledge: Knowledge) -> None:
    every = label_list("all", knowledge)
    assert changes("old", [_said(PARTLY)], [_said(PARTLY, LSASS)], every).changed == ()


def test_a_report_that_may_not_be_quoted_is_named_alone(knowledge: Knowledge) -> None:
    found = changes(
        "old",
        [_said(ONE)],
        [_said(ONE, POWERSHELL, at={0: POWERSHELL})],
        label_list("all", knowledge),
        quote=lambda _: False,
    )
    example = found.changed[0].examples[0]
    assert (example.document, example.sentence) == ("one", None)


def test_predictions_of_other_documents_are_refused(knowledge: Knowledge) -> None:
    with pytest.raises(ValueError, match="same documents"):
        changes("old", [_said(ONE)], [_said(TWO)], label_list("all", knowledge))
