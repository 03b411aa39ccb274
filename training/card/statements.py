"""What a card says in words: what the release is for, and where it ends.

The headings are those of Mitchell et al. 2019, "Model Cards for Model Reporting",
https://arxiv.org/abs/1810.03993
"""

from __future__ import annotations

from engine.releases import Manifest
from training.card.content import Statement


def statements(manifest: Manifest, *, curated: bool) -> tuple[Statement, ...]:
    """Return the statements that hold for a release.

    Parameters
    ----------
    curated : bool
        It also learned from reports that analysts of this installation curated.
    """
    return (
        Statement(
            title="Intended use",
            sentences=(
                "To help an analyst label threat reports with ATT&CK techniques: it proposes "
                "techniques with the sentences that prove them, and the analyst confirms or "
                "rejects.",
                "Of the operating points, precise is meant for writing without review, balanced "
                "for an analyst who reviews, sensitive for hunting and a second reading.",
                "Inferences of the recommender are questions to ask of a report. They are never "
                "to be cited as reported.",
            ),
        ),
        Statement(
            title="Not for",
            sentences=(
                "Attribution, or any decision about a person or an organisation.",
                "Proof that something did not happen: a technique that is not listed may have "
                "been used and not been written, or written and not been found.",
                "Telling attempts, simulations and what defenders did from what the adversary "
                "did, where the text does not make it plain.",
            ),
        ),
        Statement(
            title="What the figures depend on",
            sentences=(
                "Language: the models read English. In other languages only ids and names of "
                "techniques are found.",
                "Style: reports unlike those of the training data, far from the prose of vendors "
                "and authorities, lose some points.",
                f"Technique: of the {len(manifest.techniques)} in the label space, many have few "
                "labels in public data. The plot of F1 by technique shows how far that matters; "
                "a technique that is not in it was not measured.",
                "Mobile and ICS techniques are found by id and name alone.",
            ),
        ),
        Statement(
            title="How it was measured",
            sentences=(
                "By cross-validation with whole documents held out and near-duplicates kept "
                "together. Thresholds were chosen each time on the documents that were not held "
                "out.",
                "Intervals are 95 % bootstrap intervals over documents: other reports of the same "
                "kind would give figures in that range. Reports of another kind may not.",
                "A technique counts as wrong only where the annotators looked for it.",
                "Precision, recall and calibration are of techniques that the text describes. "
                "Those that it names by id or name are found at every operating point.",
            ),
        ),
        Statement(title="Ethical considerations", sentences=_ethics(curated=curated)),
        Statement(
            title="Recommendations",
            sentences=(
                "Read some dozens of its findings on your own reports before anything is written "
                "without review.",
                "Watch the curve of corrections: rejections that rise say that the reports have "
                "changed.",
                "If it does worse than the one before, go back with one command: ttpscribe "
                "releases rollback.",
            ),
        ),
    )


def _ethics(*, curated: bool) -> tuple[str, ...]:
    always = (
        "It was trained on reports of publishers who write mostly about some actors and regions; "
        "what is rarely written about is found less well.",
        "Texts are processed on the machine it runs on. Weights and vocabulary hold words of the "
        "training data.",
    )
    if not curated:
        return always
    return (
        *always,
        "It also learned from reports of this installation. Words of them are in it: give it only "
        "to those who may read these reports.",
    )
