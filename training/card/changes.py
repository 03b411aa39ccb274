"""What changed from the champion: techniques found better and worse, each with examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Literal

import numpy as np

from training.card.content import Change, Changes, Example
from training.evaluation import LabelList, Prediction, metrics

Outcome = Literal["now found", "now missed", "no longer wrong", "now wrong"]
LONGEST = 300


def changes(
    champion: str,
    before: Sequence[Prediction],
    after: Sequence[Prediction],
    label_list: LabelList,
    *,
    examples: int = 3,
    quote: Callable[[Prediction], bool] = lambda _: True,
) -> Changes:
    """Compare two releases technique by technique.

    Parameters
    ----------
    champion : str
        Name of the release that ``before`` comes from.
    before, after : sequence of Prediction
        Of the same documents in the same order; texts that are no document are left out.
    label_list : LabelList
        What to compare on.
    examples : int
        How many to keep of each technique.
    quote : callable
        Whether words of a document may stand in the card; else its id alone names it.
    """
    pairs = [
        (one, other)
        for one, other in zip(before, after, strict=True)
        if one.document_level and other.document_level
    ]
    if any(one.document.id != other.document.id for one, other in pairs):
        raise ValueError("the predictions are not of the same documents")
    gold = [label_list.express(one.document.techniques) for one, _ in pairs]
    found = [_judged(one, label_list) for one, _ in pairs]
    again = [_judged(other, label_list) for _, other in pairs]
    labels = label_list.labels or tuple(sorted(frozenset().union(*gold, *found, *again)))
    old = metrics.count_by_label(gold, found, labels)
    new = metrics.count_by_label(gold, again, labels)

    def examples_of(technique: str) -> tuple[Example, ...]:
        sides = zip(pairs, gold, found, again, strict=True)
        every = (
            _example(technique, pair, truth, now, label_list, quote)
            for pair, truth, was, now in sides
            if (technique in was) != (technique in now)
        )
        return tuple(islice(every, examples))

    changed = [
        Change(
            technique=labels[row],
            before=round(float(metrics.f1_of(old[row])), 4),
            after=round(float(metrics.f1_of(new[row])), 4),
            support=int(old[row, 0] + old[row, 2]),
            examples=examples_of(labels[row]),
        )
        for row in np.flatnonzero((old != new).any(axis=1))
    ]
    changed.sort(key=lambda change: (change.before - change.after, change.technique))
    return Changes(champion=champion, documents=len(pairs), changed=tuple(changed))


def _judged(item: Prediction, label_list: LabelList) -> frozenset[str]:
    """Return what was found of that which annotators looked for."""
    return label_list.express(t for t in item.findings if item.document.says(t) is not None)


def _example(
    technique: str,
    pair: tuple[Prediction, Prediction],
    truth: frozenset[str],
    now: frozenset[str],
    label_list: LabelList,
    quote: Callable[[Prediction], bool],
) -> Example:
    before, after = pair
    outcome: Outcome
    if technique in truth:
        outcome = "now found" if technique in now else "now missed"
    else:
        outcome = "now wrong" if technique in now else "no longer wrong"
    document = before.document
    if not quote(before):
        return Example(document=document.id, outcome=outcome)
    speaker = after if technique in now else before
    return Example(
        document=document.title or document.id,
        outcome=outcome,
        sentence=_sentence(technique, speaker, label_list),
    )


def _sentence(technique: str, item: Prediction, label_list: LabelList) -> str | None:
    """Return a sentence that the release took for evidence, a labelled one rather than another."""
    sentences = item.document.sentences
    said = [
        sentence
        for sentence, techniques in zip(sentences, item.sentences, strict=False)
        if technique in label_list.express(techniques)
    ]
    shown = [s for s in sentences if technique in label_list.express(s.techniques)]
    both = [sentence for sentence in said if sentence in shown]
    for candidates in (both, said, shown):
        if candidates:
            text = " ".join(candidates[0].text.split())
            return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return None
