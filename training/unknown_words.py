"""The words that a release knows, and how many of a report's words it usually does not."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from statistics import fmean

from engine.recognizers.tfidf import VOCABULARY, unknown_share, words
from training.labels import LabelSet
from training.svc.settings import SvcSettings


def known_words(svc: Path) -> frozenset[str]:
    """Return the words of a trained svc's features."""
    vocabulary = json.loads((svc / VOCABULARY).read_text(encoding="utf-8"))
    return frozenset(term for term in vocabulary["words"] if " " not in term)


def usual_share(labels: LabelSet, known: frozenset[str]) -> float | None:
    """Return the mean share of unknown words in the documents of a label set.

    In a document, a word is known where the other texts alone would have made it so; thus the
    figure is that of a report of the same kind that nobody trained on.

    Returns
    -------
    float or None
        None where no document has a word.
    """
    texts: Counter[str] = Counter()
    own: dict[str | None, Counter[str]] = defaultdict(Counter)
    for example in labels.examples:
        found = set(words(example.text))
        texts.update(found)
        own[example.document].update(found)
    least = SvcSettings().min_count
    shares = []
    for document in labels.documents:
        spoken = Counter(words(document.body))
        elsewhere = (word for word in spoken if texts[word] - own[document.id][word] >= least)
        shares.append(unknown_share(spoken, known.intersection(elsewhere)))
    told = [share for share in shares if share is not None]
    return fmean(told) if told else None
