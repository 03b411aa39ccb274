"""Which of two challengers is put forward."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from training.gate import Decision, Trial
from training.gate.types import Said
from training.nightly.foremost import foremost, not_put_forward


def trial(name: str, publish: bool, f1: float) -> Trial:
    own = SimpleNamespace(protects=False, challenger=f1)
    decision = Decision(publish, (), "champion", name, (own,))
    return Trial(Said("champion", (), (), {}), Said(name, (), (), {}), (), decision)


@pytest.mark.parametrize(
    ("adapted", "anew", "beats", "chosen"),
    [
        (True, True, True, "adapted"),
        (True, True, False, "anew"),
        (True, False, False, "adapted"),
        (False, True, True, "anew"),
        (False, False, True, "anew"),
    ],
)
def test_what_was_trained_anew_goes_first_unless_adapting_beats_it(adapted, anew, beats, chosen):
    asked = []

    def decide(champion, challenger, origins):
        asked.append((champion.release, challenger.release))
        return trial("adapted", beats, 0.9)

    trials = [(trial("adapted", adapted, 0.9), None), (trial("anew", anew, 0.8), None)]
    found, _ = foremost(trials, decide)
    assert found.decision.challenger == chosen
    assert asked == ([("anew", "adapted")] if adapted and anew else [])


def test_one_challenger_needs_no_choice():
    only = (trial("adapted", False, 0.5), None)
    assert foremost([only], lambda *_: pytest.fail("nothing to compare")) == only


def test_why_one_is_not_put_forward():
    better = not_put_forward(trial("adapted", True, 0.9), trial("anew", True, 0.8))
    assert better.endswith("F1 0.900 on the reports that analysts judged, against 0.800 of the "
                           "other; no better beyond doubt.")  # fmt: skip
    refused = not_put_forward(trial("adapted", False, 0.9), trial("anew", True, 0.8))
    assert refused.endswith("; only the other passed.")
    worse = not_put_forward(trial("adapted", False, 0.7), trial("anew", True, 0.8))
    assert worse.endswith("of the other.")
