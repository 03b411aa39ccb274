"""Cards on disk and by command: the same bytes, found again, kept together with earlier ones."""

from __future__ import annotations

import json
import shutil
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.commands.releases import releases
from engine.errors import TrainingDataError, UsageError
from engine.knowledge import Knowledge
from engine.ledger import Verdict
from engine.releases import Release
from training.card import CardInput, drift, known_words, learning, read_card, write_card
from training.commands.card import card

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_the_same_input_gives_the_same_bytes_and_the_json_says_it_all(
    full: CardInput, knowledge: Knowledge, tmp_path: Path
) -> None:
    first = write_card(full, knowledge, tmp_path / "a")
    again = write_card(full, knowledge, tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    read = read_card(first[1])
    assert (read.gate, read.changes, read.labels) == (full.gate, full.changes, full.labels)
    assert read.learning == full.learning
    assert read.drift == full.drift
    assert read.measured is not None, "taken from the release"
    assert read.names["T1003.001"] == "LSASS Memory"
    assert [point.name for point in read.points] == ["precise", "balanced", "sensitive"]


def test_a_card_that_tells_of_analysts_is_for_its_owner_alone(
    full: CardInput, knowledge: Knowledge, cards: Path
) -> None:
    for path in write_card(full, knowledge):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for path in write_card(CardInput(release=full.release), knowledge):
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_card_made_again_by_hand_keeps_what_the_night_knew(
    full: CardInput, knowledge: Knowledge, cards: Path
) -> None:
    write_card(full, knowledge)
    done = CliRunner().invoke(card, [str(full.release.path)])
    assert done.exit_code == 0, done.output
    assert read_card(cards / "small.card.json").gate == full.gate


def test_what_another_release_of_that_name_knew_is_not_taken_over(
    full: CardInput, knowledge: Knowledge, cards: Path
) -> None:
    _, path = write_card(full, knowledge)
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "digest": "0" * 64}))
    done = CliRunner().invoke(card, [str(full.release.path)])
    assert done.exit_code == 0, done.output
    assert read_card(path).gate is None


def test_nights_on_other_documents_and_damaged_cards_stay_out_of_the_curve(
    full: CardInput, knowledge: Knowledge, cards: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")  # Libraries that other tests import raise it.
    write_card(full, knowledge)
    (cards / "broken.card.json").write_text("{")
    last = full.learning[-1]
    tonight = last.model_copy(update={"release": "tonight", "at": last.at + timedelta(days=1)})
    assert [one.release for one in learning(tonight)] == [
        *(f"night-{number}" for number in range(4)),
        "tonight",
    ]
    assert "broken.card.json" in caplog.text
    other = tonight.model_copy(update={"test": "other documents"})
    assert learning(other) == (other,)


def test_show_tells_where_the_card_is_or_how_to_make_one(
    release: Release, knowledge: Knowledge, cards: Path, tmp_path: Path
) -> None:
    moved = Release.open(shutil.copytree(release.path, tmp_path / "made/small"))
    runner = CliRunner()
    asked = runner.invoke(releases, ["show", str(moved.path), "--card"])
    assert isinstance(asked.exception, UsageError)
    assert f"ttpscribe train card {moved.path}" in str(asked.exception)
    page, _ = write_card(CardInput(release=moved), knowledge)
    assert runner.invoke(releases, ["show", str(moved.path), "--card"]).output == f"{page}\n"
    refused = runner.invoke(releases, ["show", "small", "--card"])
    assert refused.output == f"{page}\n", "it is not in the store, its card is"
    shown = json.loads(runner.invoke(releases, ["show", str(moved.path), "--json"]).output)
    assert shown["card"] == str(page)
    beside, _ = write_card(CardInput(release=moved), knowledge, moved.path.parent)
    assert runner.invoke(releases, ["show", str(moved.path), "--card"]).output == f"{beside}\n"


def test_bad_calls_and_places_say_what_to_do(
    full: CardInput, knowledge: Knowledge, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TrainingDataError, match=r"cannot be written.*--output DIR"):
        write_card(full, knowledge, tmp_path / "file")
    asked = CliRunner().invoke(card, [str(full.release.path), "--part", str(tmp_path)])
    assert isinstance(asked.exception, UsageError)
    assert "belong together" in str(asked.exception)


def test_drift_counts_corrections_and_sees_new_words(release: Release) -> None:
    def verdict(day: int, judgement: str) -> Verdict:
        return Verdict(
            platform="opencti",
            report=f"r{day}",
            technique="T1486",
            verdict=judgement,
            known_by="difference",
            at=MONDAY + timedelta(days=day),
        )

    usual = "The loader starts powershell hidden. Files were encrypted to extort a ransom."
    strange = "Quishing kits proxied session cookies through residential gateways."
    texts = [(MONDAY + timedelta(days=day), usual) for day in range(0, 70, 7)]
    texts += [(MONDAY + timedelta(days=day), strange) for day in range(70, 90, 7)]
    verdicts = [verdict(0, "confirmed"), verdict(71, "rejected"), verdict(72, "rejected")]
    found = drift(verdicts, texts, known_words(release))

    assert [period.begin.date().isoformat() for period in found][:2] == ["2026-03-02", "2026-03-09"]
    assert found[0].novelty is None, "nothing to compare the first period with"
    assert found[1].novelty == 0.0
    assert found[1].unknown_words is not None
    assert found[-1].novelty is not None
    assert found[-1].novelty > 0.9
    assert found[-1].unknown_words is not None
    assert found[-1].unknown_words > found[1].unknown_words + 0.3
    assert (found[0].confirmed, found[10].rejected) == (1, 2)
    assert sum(period.reports for period in found) == len(texts)
    assert drift([]) == ()


def test_long_histories_become_few_periods(release: Release) -> None:
    texts = [(MONDAY + timedelta(days=9 * number), "powershell") for number in range(200)]
    found = drift([], texts)
    assert 2 <= len(found) <= 27
    assert sum(period.reports for period in found) == 200


def test_a_card_without_anything_beside_the_release(
    release: Release, knowledge: Knowledge, tmp_path: Path
) -> None:
    page, _ = write_card(CardInput(release=release), knowledge, tmp_path)
    text = page.read_text("utf-8")
    for missing in ("No gate decided", "Nothing was compared", "No earlier nights"):
        assert missing in text
    bare = replace(CardInput(release=release), learning=())
    assert bare == CardInput(release=release)
