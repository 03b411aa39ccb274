"""A base small enough to train in a second, and labels that it can learn."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from engine.knowledge import Knowledge
from training.labels import Example, LabelledDocument, LabelSet

# Looked for, not imported: transformers reads HF_HUB_OFFLINE when it is imported, and a fixture
# sets that only later.
if find_spec("torch") is None or find_spec("transformers") is None:
    collect_ignore_glob = ["test_*.py"]

SHOWN = {
    "T1059.001": ("powershell script",),
    "T1003.001": ("lsass memory",),
    "T1566.001": ("mailed attachment",),
}
NOTHING = ("named by",)
# Around what is shown stand words at random, so that no two documents repeat each other.
FILLING = tuple(a + b for a in "abdeghiklmn" for b in ("ora", "inu", "est", "alk", "umb", "eti"))


def sentence(generator: np.random.Generator, technique: str | None) -> str:
    said = generator.choice(SHOWN[technique] if technique else NOTHING)
    filling = generator.choice(FILLING, 5)
    return " ".join([*filling[:2], said, *filling[2:]])


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return Knowledge.load()


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of SciBERT's architecture with random weights, as ``save_pretrained`` writes it."""
    return make_base(tmp_path_factory.mktemp("base"))


def make_base(directory: Path) -> Path:
    import torch
    from tokenizers import BertWordPieceTokenizer
    from tokenizers.processors import BertProcessing
    from transformers import BertModel, PreTrainedTokenizerFast

    generator = np.random.default_rng(0)
    corpus = [sentence(generator, t) for t in (*SHOWN, None) for _ in range(200)]
    words = BertWordPieceTokenizer(lowercase=True)
    words.train_from_iterator(corpus, vocab_size=600, show_progress=False)
    special = {
        f"{name}_token": f"[{name.upper()}]" for name in ("unk", "cls", "sep", "pad", "mask")
    }
    PreTrainedTokenizerFast(tokenizer_object=words._tokenizer, **special).save_pretrained(directory)
    # save_pretrained leaves out the tokens at both ends.
    ends = [(token, words.token_to_id(token)) for token in ("[SEP]", "[CLS]")]
    words._tokenizer.post_processor = BertProcessing(*ends)
    words.save(str(directory / "tokenizer.json"))
    torch.manual_seed(0)
    BertModel(tiny_config(), add_pooling_layer=False).save_pretrained(directory)
    return directory


def tiny_config(**changes: object):
    from transformers import BertConfig

    return BertConfig(
        vocab_size=600,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        **changes,
    )


@pytest.fixture(scope="session")
def labels() -> LabelSet:
    """Texts and documents of three techniques and of none."""
    generator = np.random.default_rng(1)
    texts = tuple(
        Example(
            sentence(generator, technique),
            frozenset({technique}),
            f"t{technique}{number}",
            source="attack-procedures",
            known=frozenset(),
        )
        for technique in SHOWN
        for number in range(30)
    )
    documents = []
    for number in range(10):
        shown = list(generator.permutation([*SHOWN, None, None, None, None]))
        sentences = tuple(
            Example(
                sentence(generator, technique),
                frozenset({technique} if technique else ()),
                f"d{number}-{place}",
                document=f"d{number}",
                source="own",
                fold=number % 5,
                kind="sentence",
            )
            for place, technique in enumerate(shown)
        )
        documents.append(
            LabelledDocument(
                f"d{number}",
                "\n".join(s.text for s in sentences),
                frozenset(SHOWN),
                sentences,
                fold=number % 5,
            )
        )
    sentences = tuple(s for document in documents for s in document.sentences)
    return LabelSet(texts + sentences, tuple(documents))
