"""Move the operating points to where they fit a site's reports.

Only as far as documents held out bear out: a threshold is chosen on the probabilities out of fold
of curated reports, and one as good that lies nearer to the old one is preferred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from engine.releases import OperatingPoint
from training.evaluation.metrics import f1_of
from training.fusion.operating_points import GRID
from training.fusion.settings import FusionSettings
from training.labels.verdicts.types import JudgedDocument

if TYPE_CHECKING:
    from engine.fusion.alignment import LabelSpace

# With fewer curated reports a threshold would follow chance.
LEAST: Final = 20
# What a unit of log-odds away from the old threshold has to gain in F1.
INERTIA: Final = 0.01
# What ``precise`` promises at least, as where a release is trained.
PRECISE: Final = FusionSettings().precise


def moved_points(
    points: Mapping[str, OperatingPoint],
    documents: Sequence[JudgedDocument],
    held: NDArray[np.float32],
    space: LabelSpace,
) -> dict[str, OperatingPoint]:
    """Return the operating points for a site; those given where there are too few reports.

    Parameters
    ----------
    points : mapping from name to OperatingPoint
    documents : sequence of JudgedDocument
    held : ndarray of float32, shape (n_documents, n_techniques)
        Probabilities out of fold.
    space : LabelSpace
    """
    rows = [row for row, one in enumerate(documents) if one.judged.complete and one.whole]
    if len(rows) < LEAST or "balanced" not in points:
        return dict(points)
    counts = np.array([_counts(documents[row], held[row], space) for row in rows])
    total = counts.sum(axis=0)
    old = points["balanced"]
    away = np.abs(logit(GRID) - logit(np.clip(old.write_threshold, GRID[0], GRID[-1])))
    f1 = f1_of(counts).mean(axis=0) + f1_of(total)
    balanced = int((f1 - INERTIA * away).argmax())
    precision = total[:, 0] / np.maximum(total[:, 0] + total[:, 1], 1)
    recall = total[:, 0] / np.maximum(total[:, 0] + total[:, 2], 1)
    result = dict(points)

    def put(name: str, place: int) -> None:
        point = points[name]
        share = point.suggest_threshold / max(point.write_threshold, 1e-6)
        write = float(GRID[place])
        result[name] = point.model_copy(
            update={
                "write_threshold": write,
                "suggest_threshold": round(write * min(share, 1.0), 4),
                "expected_precision": round(float(precision[place]), 4),
                "expected_recall": round(float(recall[place]), 4),
            }
        )

    put("balanced", balanced)
    if "precise" in points:
        old_place = int(np.abs(GRID - points["precise"].write_threshold).argmin())
        least = max(points["precise"].expected_precision, PRECISE)
        # From there on, so that it is no lucky place; where there is none, the old one stays.
        short = np.flatnonzero((precision < least) & (total[:, 0] + total[:, 1] > 0))
        place = int(short[-1]) + 1 if short.size else 0
        put("precise", max(balanced, place if place < len(GRID) else old_place))
    if "sensitive" in points:
        wanted = np.flatnonzero(recall[: balanced + 1] >= points["sensitive"].expected_recall)
        put("sensitive", int(wanted[-1]) if wanted.size else 0)
    return result


def _counts(
    document: JudgedDocument, probabilities: NDArray[np.float32], space: LabelSpace
) -> NDArray[np.int64]:
    """Return true positives, false positives, false negatives over the grid.

    A parent is not written beside its sub-technique, so it counts up to where that is found.
    """
    parents = probabilities.copy()
    children = np.flatnonzero(space.parent >= 0)
    best = np.zeros_like(probabilities)
    np.maximum.at(best, space.parent[children], probabilities[children])
    found = (parents[None, :] >= GRID[:, None]) & (best[None, :] < GRID[:, None])
    shown = np.array([technique in document.techniques for technique in space.techniques])
    right = (found & shown).sum(axis=1)
    wrong = (found & ~shown).sum(axis=1)
    return np.stack([right, wrong, len(document.techniques) - right], axis=1)
