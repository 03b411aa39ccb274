"""Labels that the models doubt: confident learning over document and technique.

For each technique, the mean probability (out of fold) of the documents that are labelled with it
is how probable a document has to be to count as showing it, and likewise for those labelled
without. A label is suspicious where the document confidently belongs to the other class
(Northcutt et al., "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021,
https://doi.org/10.1613/jair.1.12125).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.labels.verdicts.types import Doubt, FrozenLabels
from training.readings import Reader

# A class of fewer labels has no mean worth comparing with.
LEAST: Final = 3
MOST: Final = 200


def suspicious(labels: FrozenLabels, reader: Reader, most: int = MOST) -> tuple[Doubt, ...]:
    """Return the judged labels that the champion doubts, the least likely first.

    Parameters
    ----------
    labels : FrozenLabels
    reader : Reader
        Of the champion, whose own training the label set's new reports were no part of.
    most : int
        So many at most.
    """
    documents = [one for one in (*labels.train, *labels.held) if one.whole]
    space = reader.base.space
    judged = sorted({t for one in documents for t in one.judged.labels} & set(space.column))
    columns = [space.column[technique] for technique in judged]
    probabilities = np.array(
        [
            reader.documents(reading, reader.base)[columns]
            for reading in reader.read(one.document for one in documents)
        ]
    ).reshape(len(documents), len(columns))
    shown = np.full(probabilities.shape, -1, dtype=np.int8)
    for row, one in enumerate(documents):
        for column, technique in enumerate(judged):
            label = one.judged.labels.get(technique)
            if label is not None:
                shown[row, column] = label.shown
            elif one.judged.complete:
                shown[row, column] = 0
    found = []
    for row, column, margin in confident_errors(probabilities, shown):
        one, technique = documents[row], judged[column]
        label = one.judged.labels.get(technique)
        if label is None:
            continue  # Nobody judged it; that it is absent follows from the curation alone.
        probability = probabilities[row, column]
        said = f"The models give it {probability:.0%}"
        said += f", which is {'little' if label.shown else 'much'} for this technique here."
        taken = "shown" if label.shown else "not shown"
        found.append(
            (margin, Doubt(one.judged.platform, one.judged.report, technique, taken, said))
        )
    found.sort(key=lambda pair: (-pair[0], pair[1].report, pair[1].technique))
    return tuple(doubt for _, doubt in found[:most])


def confident_errors(
    probabilities: NDArray[np.float32], shown: NDArray[np.int8]
) -> list[tuple[int, int, float]]:
    """Return (row, column, margin) of labels that confidently belong to the other class.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (n_documents, n_techniques)
        From models that did not learn from these labels.
    shown : ndarray of int8, shape (n_documents, n_techniques)
        1 shown, 0 not shown, -1 unknown.
    """
    errors = []
    for column in range(probabilities.shape[1]):
        p, label = probabilities[:, column], shown[:, column]
        yes, no = label == 1, label == 0
        if yes.sum() < LEAST or no.sum() < LEAST:
            continue
        threshold_yes = float(p[yes].mean())
        threshold_no = float((1 - p[no]).mean())
        for row in np.flatnonzero(yes | no).tolist():
            is_yes, is_no = p[row] >= threshold_yes, 1 - p[row] >= threshold_no
            if is_yes and is_no:  # Confident both ways: the likelier class.
                is_yes, is_no = p[row] > 0.5, p[row] <= 0.5
            if (label[row] == 1 and is_no) or (label[row] == 0 and is_yes):
                margin = float(1 - p[row] if label[row] == 1 else p[row])
                errors.append((row, column, margin))
    return errors
