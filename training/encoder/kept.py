"""A trained encoder kept so that a training can go on from it; a release holds none of this.

Kept are the weights that ship, as a Hugging Face directory with the linear layer beside it, and of
each fold the weights that were trained without it. Who goes on from them scores a fold's documents
by what came of that fold's own weights, which never saw them: out-of-fold scores stay honest,
however often a training goes on.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from training.encoder.base import BaseModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

    from training.encoder.model import SentenceClassifier

KEPT: Final = "kept"
FACTS: Final = "kept.json"
HEAD: Final = "head.safetensors"
PROTOCOL: Final = 1
ENCODER: Final = "encoder."
ROWS: Final = ("head.weight", "head.bias")

State = Mapping[str, "Tensor"]


@dataclass(frozen=True)
class Kept:
    """What was kept of a training.

    Attributes
    ----------
    directory : Path
        A Hugging Face directory with more in it.
    labels : tuple of str
        Techniques of the linear layer, in its order.
    folds : mapping from document id to int
        Of every document that was learned from.
    scored : tuple of int
        The folds that have weights of their own.
    base : str
        What the first training began with.
    max_tokens : int
    """

    directory: Path
    labels: tuple[str, ...]
    folds: Mapping[str, int]
    scored: tuple[int, ...]
    base: str
    max_tokens: int

    @classmethod
    def of(cls, directory: Path) -> Self | None:
        """Read what was kept; None where it is a plain Hugging Face directory, or a name.

        Raises
        ------
        BaseModelError
            If it is damaged.
        """
        path = directory / FACTS
        if not path.is_file():
            return None
        try:
            facts = json.loads(path.read_text("utf-8"))
            if facts["protocol"] != PROTOCOL:
                raise ValueError(f"its protocol is {facts['protocol']}, not {PROTOCOL}")
            return cls(
                directory,
                tuple(map(str, facts["labels"])),
                {str(name): int(fold) for name, fold in facts["folds"].items()},
                tuple(map(int, facts["scored"])),
                str(facts["base"]),
                int(facts["max_tokens"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(directory, error) from error

    def shipped(self, state: State, labels: Sequence[str]) -> State:
        """Return the weights that ship.

        Parameters
        ----------
        state : mapping from name to Tensor
            Of a model whose encoder is loaded already, as any other is; what the kept training
            did not know stays as it is in it.
        labels : sequence of str
            Techniques of the model, in its order.
        """
        return {**state, **self._fitted(state, labels, self._read(HEAD))}

    def without(self, fold: int, state: State, labels: Sequence[str]) -> State:
        """Return the weights that have not seen a fold, of the `shipped` ones."""
        if fold not in self.scored:
            raise BaseModelError(
                f"{self.directory} keeps no weights that have not seen fold {fold}, so nothing can "
                "be said of its documents. Keep them: ttpscribe train encoder --cross-validate"
            )
        # What is the same in both was kept once.
        return {**state, **self._fitted(state, labels, self._read(f"fold-{fold}.safetensors"))}

    def _fitted(self, now: State, labels: Sequence[str], kept: State) -> dict[str, Tensor]:
        """Put the rows of the linear layer into the order of the labels; new ones stay."""
        place = {label: number for number, label in enumerate(self.labels)}
        both = [(n, place[label]) for n, label in enumerate(labels) if label in place]
        result = dict(kept)
        try:
            for name in ROWS:
                if name in kept:
                    result[name] = now[name].detach().clone()
                    for row, old in both:
                        result[name][row] = kept[name][old]
            for name, value in result.items():
                if value.shape != now[name].shape:
                    wanted, found = tuple(now[name].shape), tuple(value.shape)
                    raise ValueError(f"{name} has the shape {found}, the encoder needs {wanted}")
        except (KeyError, IndexError, ValueError, RuntimeError) as error:
            raise _damaged(self.directory, error) from error
        return result

    def _read(self, name: str) -> State:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(self.directory / name)
        except (OSError, SafetensorError) as error:
            raise _damaged(self.directory, error) from error


def write_kept(
    directory: Path,
    model: SentenceClassifier,
    tokenizer: Tokenizer,
    facts: Mapping[str, Any],
    folds: Iterable[tuple[int, State]],
) -> None:
    """Write a directory, whole or not at all.

    Parameters
    ----------
    directory : Path
    model : SentenceClassifier
        As it ships.
    tokenizer : Tokenizer
    facts : mapping
        ``labels``, ``folds``, ``base`` and ``max_tokens`` of a `Kept`.
    folds : iterable of (int, state)
        Weights of the models without a fold; taken one after the other, as they are large.
    """
    import torch
    from safetensors.torch import save
    from transformers import PreTrainedTokenizerFast

    from training.encoder.base import quiet

    unfinished = directory.with_name(f"{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    special = _special_tokens(tokenizer)
    with quiet(), _errors_of_the_disk():
        model.encoder.save_pretrained(unfinished)  # type: ignore[operator]
        named: Any = PreTrainedTokenizerFast
        named(tokenizer_object=tokenizer, **special).save_pretrained(unfinished)
    # What transformers makes of it may lack the tokens at both ends.
    tokenizer.save(str(unfinished / "tokenizer.json"))

    def write(name: str, state: State) -> None:
        whole = {key: value.contiguous() for key, value in state.items()}
        (unfinished / name).write_bytes(save(whole))

    ships = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    write(HEAD, {name: value for name, value in ships.items() if not name.startswith(ENCODER)})
    scored = []
    for fold, state in folds:
        own = {
            name: value
            for name, value in state.items()
            if name.startswith((ENCODER, "head.")) and not torch.equal(value, ships[name])
        }
        write(f"fold-{fold}.safetensors", own)
        scored.append(fold)
    content = {"protocol": PROTOCOL, "scored": scored, **facts}
    (unfinished / FACTS).write_text(json.dumps(content, sort_keys=True) + "\n", "utf-8")
    shutil.rmtree(directory, ignore_errors=True)
    unfinished.rename(directory)


@contextmanager
def _errors_of_the_disk() -> Iterator[None]:
    """Let a full disk be an ``OSError``, as with every other file."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        if f"os error {errno.ENOSPC}" not in str(error):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error


def digest_of(directory: Path) -> str:
    """Return a SHA-256 that names the files of a directory."""
    total = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        total.update(path.relative_to(directory).as_posix().encode() + b"\0")
        with path.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def _special_tokens(tokenizer: Tokenizer) -> dict[str, str]:
    """Return what a Hugging Face tokenizer wants named, of the kinds in use."""
    kinds = {
        "pad_token": ("[PAD]", "<pad>"),
        "unk_token": ("[UNK]", "<unk>"),
        "cls_token": ("[CLS]", "<s>"),
        "sep_token": ("[SEP]", "</s>"),
        "mask_token": ("[MASK]", "<mask>"),
    }
    return {
        kind: name
        for kind, names in kinds.items()
        for name in names
        if tokenizer.token_to_id(name) is not None
    }


def _damaged(directory: Path, error: Exception) -> BaseModelError:
    return BaseModelError(
        f"The kept encoder in {directory} is damaged ({str(error)[:200]}). Restore it, or train it "
        "again: ttpscribe train encoder --cross-validate"
    )
