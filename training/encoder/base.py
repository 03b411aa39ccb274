"""Load the encoder to start from, with errors that say what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import TtpscribeError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch.nn import Module

# A sentence cut to fewer says nothing.
LEAST_TOKENS = 8


class TrainingExtraError(TtpscribeError):
    """torch or transformers is not installed."""

    exit_code = 2


class BaseModelError(TtpscribeError):
    """The encoder to start from cannot be found or is none."""

    exit_code = 2


def require_torch() -> None:
    """Check that the packages of the extra ``train`` are there.

    Raises
    ------
    TrainingExtraError
        If one is not.
    """
    for name in ("torch", "transformers", "onnx"):
        try:
            __import__(name)
        except ImportError as error:
            raise TrainingExtraError(
                f"Training an encoder needs the package '{name}', which is not installed "
                f"({error}). Install the extra that brings it: pip install 'ttpscribe[train]'. "
                "Using a trained encoder needs none of it."
            ) from error


def load_base(name: str) -> tuple[Module, Tokenizer]:
    """Load an encoder and its tokenizer.

    Weights are read from safetensors, or from torch files as bare tensors (``weights_only``);
    code that comes with a model is never run.

    Parameters
    ----------
    name : str
        Name on the Hugging Face hub, or path of a directory.

    Returns
    -------
    encoder : torch.nn.Module
        Gives ``last_hidden_state`` for ``input_ids`` and ``attention_mask``.
    tokenizer : tokenizers.Tokenizer

    Raises
    ------
    BaseModelError
        If it is not found, not complete, generates text instead of encoding it, or has another
        model's tokenizer.
    """
    require_torch()
    from transformers import AutoConfig, AutoModel

    with _explained(name):
        config = AutoConfig.from_pretrained(
            name, trust_remote_code=False, local_files_only=Path(name).is_dir()
        )
    if config.is_encoder_decoder or getattr(config, "is_decoder", False) or _is_causal(config):
        raise BaseModelError(
            f"{name} is a model of type '{config.model_type}', which writes text; an encoder is "
            "needed. Give one such as allenai/scibert_scivocab_uncased or roberta-base."
        )
    encoder: Module
    with _explained(name):
        # Attention as plain matrix products: the one form that exports to ONNX everywhere.
        encoder, found = AutoModel.from_pretrained(
            name,
            trust_remote_code=False,
            attn_implementation="eager",
            local_files_only=Path(name).is_dir(),
            output_loading_info=True,
        )
    # A pooler is not used; anything else that is missing would be made up at random.
    missing = sorted(key for key in found["missing_keys"] if "pooler" not in key)
    if missing:
        raise BaseModelError(
            f"The weights of {name} are not complete: {len(missing)} are missing, such as "
            f"{missing[0]}. Download it again, or take another base."
        )
    tokenizer = load_tokenizer(name)
    _check_fit(name, encoder, tokenizer)
    return encoder, tokenizer


def positions(config: Any, wanted: int) -> int:
    """Return how many tokens a text may have: as many as wanted, or as the encoder knows places.

    Parameters
    ----------
    config : PretrainedConfig
    wanted : int
    """
    known = getattr(config, "max_position_embeddings", None)
    if not isinstance(known, int) or known < 1:
        return wanted  # places are relative, as in DeBERTa without a limit
    if "roberta" in str(config.model_type):
        # The first ones are not used: they count from the number of the padding token on.
        known -= int(getattr(config, "pad_token_id", None) or 0) + 1
    return min(wanted, known)


def _check_fit(name: str, encoder: Module, tokenizer: Tokenizer) -> None:
    config: Any = encoder.config
    known: int = encoder.get_input_embeddings().num_embeddings  # type: ignore[operator]
    highest = max(tokenizer.get_vocab().values(), default=0)
    if highest >= known:
        raise BaseModelError(
            f"The tokenizer of {name} is another model's: it has a token of number {highest}, but "
            f"the encoder knows {known} tokens. Give the directory of an encoder with its own."
        )
    if positions(config, LEAST_TOKENS) < LEAST_TOKENS:
        raise BaseModelError(
            f"{name} reads texts of {positions(config, LEAST_TOKENS)} tokens at most; a sentence "
            f"needs {LEAST_TOKENS} or more. Take another base."
        )


def load_tokenizer(name: str) -> Tokenizer:
    """Load the fast tokenizer of a model, without padding and cutting.

    Raises
    ------
    BaseModelError
        If there is none.
    """
    require_torch()
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    with _explained(name):
        loaded = AutoTokenizer.from_pretrained(
            name, trust_remote_code=False, use_fast=True, local_files_only=Path(name).is_dir()
        )
    tokenizer: Tokenizer | None = getattr(loaded, "backend_tokenizer", None)
    # Its own file where it has one: what transformers makes of it may lack the tokens at both ends.
    if file := _tokenizer_file(name):
        tokenizer = Tokenizer.from_file(file)
    if tokenizer is None:
        raise BaseModelError(
            f"The tokenizer of {name} has no fast form (tokenizer.json), which serving needs. "
            "Convert it with transformers, or take another base."
        )
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _tokenizer_file(name: str) -> str | None:
    from huggingface_hub import try_to_load_from_cache

    if Path(name).is_dir():
        local = Path(name) / "tokenizer.json"
        return str(local) if local.is_file() else None
    cached = try_to_load_from_cache(name, "tokenizer.json")
    return cached if isinstance(cached, str) else None


def _is_causal(config: Any) -> bool:
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    # An encoder can be trained to fill in words; what can only continue them is none.
    kind = type(config)
    return (
        kind in AutoModelForCausalLM._model_mapping
        and kind not in AutoModelForMaskedLM._model_mapping
    )


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    # The name of an error only: what it tells is that nothing was unpickled.
    from pickle import UnpicklingError

    from safetensors import SafetensorError

    try:
        with quiet():
            yield
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError,
        SafetensorError, UnpicklingError,
    ) as error:  # fmt: skip
        where = (
            "The directory exists, but is no complete model (config.json, weights, tokenizer)"
            if Path(name).exists()
            else "It is neither a directory here nor to be had from the Hugging Face hub"
        )
        raise BaseModelError(
            f"The encoder '{name}' cannot be loaded. {where}: {_first_line(error)} "
            "Give the path of a downloaded model with --base, or check the name and the network."
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' own progress bars and advice off the terminal."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:300]
