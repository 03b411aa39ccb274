"""``ttpscribe train encoder`` as one calls it."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from engine.errors import TtpscribeError
from training.commands.encoder import _settings, encoder


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(encoder, [str(argument) for argument in arguments])
    message = f"{result.output}{result.exception or ''}"
    code = result.exception.exit_code if isinstance(result.exception, TtpscribeError) else None
    return result.exit_code if code is None else code, message


def test_help_names_the_default_base() -> None:
    code, output = run("--help")
    assert code == 0
    assert "allenai/scibert_scivocab_uncased" in output


def test_data_or_a_checkpoint_is_needed(tmp_path: Path) -> None:
    code, output = run("--output", tmp_path)
    assert code == 2
    assert "--data" in output
    assert "--import" in output


def test_labels_without_import_are_refused(tmp_path: Path) -> None:
    code, output = run("--output", tmp_path, "--data", tmp_path, "--labels", "tram")
    assert code == 2
    assert "--import" in output


def test_a_missing_base_is_said_before_the_training(tmp_path: Path) -> None:
    data = tmp_path / "own.jsonl"
    rows = [{"text": f"row {n}", "labels": ["T1105"] if n % 2 else []} for n in range(20)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, output = run("--data", data, "--base", tmp_path / "none", "--output", tmp_path / "out")
    assert code == 2
    assert "--base" in output


def test_options_reach_both_stages_and_leave_the_rest() -> None:
    options = {"base": "b", "epochs": 1, "learning_rate": 0.5, "seed": 3, "threads": None}
    settings = _settings(options)
    assert settings.texts.epochs == settings.sentences.epochs == 1
    assert settings.texts.learning_rate == 0.5
    assert (settings.base, settings.seed, settings.threads) == ("b", 3, 0)
