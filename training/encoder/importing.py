"""Bring a fine-tuned checkpoint of one's own, such as the one that TRAM publishes."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from engine.errors import TrainingDataError
from engine.recognizers.encoder_description import EncoderDescription
from training.encoder.artefact import folder_of, write_artefact
from training.encoder.base import (
    BaseModelError,
    load_tokenizer,
    positions,
    quiet,
    require_torch,
)
from training.encoder.descriptions import describe, examples_of_use
from training.encoder.zero_shot import make_prototypes
from training.labels import TRAM50_V13, LabelSet
from training.progress import NO_STEPS, Steps

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

log = logging.getLogger(__name__)

TRAM = "tram"
SHOWN = 8


@dataclass(frozen=True)
class Imported:
    """What became of a checkpoint.

    Attributes
    ----------
    directory : Path
        The encoder's folder.
    labels : tuple of str
        As they are written: active ids.
    mapped : dict of str to str
        Labels that ATT&CK revoked, and what they are now.
    dropped : tuple of str
        Deprecated labels; their columns are left out when scoring.
    """

    directory: Path
    labels: tuple[str, ...]
    mapped: dict[str, str]
    dropped: tuple[str, ...]


def import_checkpoint(
    checkpoint: Path,
    knowledge: Knowledge,
    output: Path,
    *,
    labels: Path | str | None = None,
    tokenizer: str | None = None,
    max_tokens: int = 128,
    quantize: bool = True,
    texts: LabelSet | None = None,
    steps: Steps = NO_STEPS,
) -> Imported:
    """Make the encoder's folder of a checkpoint for sequence classification.

    Weights are read from safetensors, or from ``pytorch_model.bin`` as bare tensors
    (``weights_only``); code in the checkpoint is never run.

    Parameters
    ----------
    checkpoint : Path
        A directory as ``save_pretrained`` writes it.
    knowledge : Knowledge
        Labels must be techniques of it, now or formerly.
    output : Path
        The release's directory.
    labels : Path or "tram", optional
        The labels in the order of the outputs, as a JSON list or one a line, where
        ``config.json`` does not name them; "tram" stands for the fifty of TRAM.
    tokenizer : str, optional
        Name or path of the tokenizer, where the checkpoint has none.
    max_tokens : int
        Longer sentences are cut.
    quantize : bool
        Whether to store 8-bit weights.
    texts : LabelSet, optional
        Descriptions and labelled texts for zero-shot; without them there is none.
    steps : Steps

    Raises
    ------
    BaseModelError
        If it is no such checkpoint.
    TrainingDataError
        If its labels are not ids of ATT&CK techniques; the message lists them.
    """
    require_torch()
    from training.encoder.export import ServedSequenceClassifier

    directory = folder_of(output)
    config, model = _load(checkpoint)
    names = _read_labels(labels) if labels is not None else _labels_of(config)
    if len(names) != int(config.num_labels):
        raise TrainingDataError(
            f"{checkpoint} has {config.num_labels} outputs, but {len(names)} labels were given. "
            "Give one a line, in the order of the outputs, with --labels FILE."
        )
    resolved, mapped, dropped = _resolve(names, knowledge)
    description = EncoderDescription(
        labels=resolved,
        activation=_activation(config),
        max_tokens=positions(config, max_tokens),
        base=f"imported from {checkpoint.name}",
        figures={"labels_mapped": mapped, "labels_dropped": list(dropped)},
    )
    source = texts if texts is not None else LabelSet()
    write_artefact(
        directory,
        ServedSequenceClassifier(model),
        load_tokenizer(tokenizer or str(checkpoint)),
        description,
        lambda embed: make_prototypes(
            describe(source, knowledge), examples_of_use(source), resolved, embed
        ),
        source,
        quantize=quantize,
        steps=steps,
    )
    return Imported(directory, resolved, mapped, dropped)


def _load(checkpoint: Path) -> tuple[Any, Any]:
    # The name of an error only: what it tells is that nothing was unpickled.
    from pickle import UnpicklingError

    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForSequenceClassification

    if not (checkpoint / "config.json").is_file():
        raise BaseModelError(
            f"{checkpoint} is no checkpoint: it has no config.json. Give the directory that "
            "save_pretrained wrote."
        )
    try:
        with quiet():
            config = AutoConfig.from_pretrained(checkpoint, trust_remote_code=False)
            if not any("ForSequenceClassification" in a for a in config.architectures or ()):
                raise BaseModelError(
                    f"{checkpoint} is not for sequence classification "
                    f"({', '.join(config.architectures or ('no architecture named',))}). To "
                    "fine-tune it use: ttpscribe train encoder --base DIR --data PATH"
                )
            model = AutoModelForSequenceClassification.from_pretrained(
                checkpoint,
                config=config,
                trust_remote_code=False,
                weights_only=True,
                attn_implementation="eager",
            )
    except UnpicklingError as error:
        raise BaseModelError(
            f"The weights in {checkpoint} hold more than tensors, so they were not loaded: such "
            "a file could run code. Have them saved as safetensors."
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise BaseModelError(
            f"The checkpoint {checkpoint} cannot be loaded ({str(error).strip()[:200]})."
        ) from error
    return config, model


def _activation(config: Any) -> Literal["sigmoid", "softmax"]:
    kind = config.problem_type
    if kind == "single_label_classification":
        return "softmax"
    if kind is None:
        log.warning(
            "config.json names no problem_type: taken as multi_label_classification, so that a "
            "sentence may show several techniques. Set it there if that is wrong."
        )
    return "sigmoid"


def _labels_of(config: Any) -> tuple[str, ...]:
    return tuple(str(config.id2label[number]) for number in range(int(config.num_labels)))


def _read_labels(given: Path | str) -> tuple[str, ...]:
    if given == TRAM:
        return TRAM50_V13
    path = Path(given)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingDataError(f"The labels {path} cannot be read ({error}).") from error
    if text.lstrip().startswith("["):
        try:
            return tuple(str(label) for label in json.loads(text))
        except ValueError as error:
            raise TrainingDataError(f"The labels {path} are no JSON list ({error}).") from error
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _resolve(
    names: Sequence[str], knowledge: Knowledge
) -> tuple[tuple[str, ...], dict[str, str], tuple[str, ...]]:
    resolved, mapped, dropped, unknown = [], {}, [], []
    for name in names:
        found = knowledge.resolve(name)
        if found.status == "unknown":
            unknown.append(name)
        elif found.technique is None:
            dropped.append(found.id)
        elif found.technique.id != found.id:
            mapped[found.id] = found.technique.id
        resolved.append(found.technique.id if found.technique else found.id)
    if unknown:
        shown = ", ".join(unknown[:SHOWN])
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        raise TrainingDataError(
            f"{len(unknown)} of {len(names)} labels of the checkpoint are not ids of ATT&CK "
            f"techniques: {shown}{more}. Give the ids in the order of the outputs with "
            "--labels FILE (--labels tram for the model that TRAM publishes)."
        )
    return tuple(resolved), mapped, tuple(dropped)
