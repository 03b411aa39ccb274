"""Bases that cannot be used, each with its own advice."""

from __future__ import annotations

import builtins
import shutil
from pathlib import Path

import pytest

from training.encoder.base import BaseModelError, TrainingExtraError, load_base, require_torch


def test_a_local_base_gives_encoder_and_tokenizer(tiny_base: Path) -> None:
    encoder, tokenizer = load_base(str(tiny_base))
    assert encoder.config.hidden_size == 32
    assert tokenizer.encode("lsass memory").tokens[0] == "[CLS]"


def test_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match=r"neither a directory.*--base"):
        load_base("nobody/no-such-encoder")


def test_a_directory_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="no complete model"):
        load_base(str(tmp_path))


def test_a_directory_without_weights(tiny_base: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_base, tmp_path / "b")
    (tmp_path / "b" / "model.safetensors").unlink()
    with pytest.raises(BaseModelError, match="no complete model"):
        load_base(str(tmp_path / "b"))


def test_a_model_that_writes_text_is_no_encoder(tmp_path: Path) -> None:
    from transformers import GPT2Config, T5Config

    for config in (GPT2Config(n_embd=8, n_layer=1, n_head=1), T5Config(d_model=8, num_layers=1)):
        config.save_pretrained(tmp_path)
        with pytest.raises(BaseModelError, match="an encoder is needed"):
            load_base(str(tmp_path))


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TrainingExtraError, match=r"ttpscribe\[train\]"):
        require_torch()
