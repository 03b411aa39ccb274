"""Measure what each source of training data adds to the svc, to the encoder, and to both.

    python bench/ablation.py --data text/ --data attack/ --output ablation.json
    python bench/ablation.py --data text/ --data attack/ --output ablation.json --systems svc
    python bench/ablation.py --show ablation.json

Every system is trained anew with all sources and with each source (or group of sources) left out,
and scores the reports of the held-out folds. Figures are over TRAM's fifty techniques, at the one
threshold that is best for the system on these reports; the differences to "all" come with paired
95 % bootstrap intervals over reports. The encoder is trained for one epoch a stage, so its figures
stand for comparisons and not for what the shipped one reaches. "both" fuses the two by the fusion
of a release, fitted on the other held-out folds. What is done is kept in the output: called
again, it goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import expit

from engine.documents import from_sentences
from engine.knowledge import Knowledge
from engine.types import Recognition
from training.assemble import scored_documents, space_of
from training.commands.options import read_labels
from training.encoder.calibrate import calibrate
from training.encoder.checkpoint import Checkpoints
from training.encoder.descriptions import describe
from training.encoder.settings import EncoderTrainingSettings
from training.encoder.stages import Stages, joined
from training.evaluation import bootstrap, metrics
from training.fusion import FusionSettings, cross_validate
from training.fusion.operating_points import Counts
from training.labels import LabelSet
from training.out_of_fold import OutOfFold
from training.svc import SvcSettings
from training.svc.train import cross_validated

# Texts that are in neither of the shipped models; see docs/models/svc.md.
NEVER = ("kev", "smet", "sigma", "splunk", "atomic")
SVC_NEVER = ("tram1", "tram1-negatives")
GROUPS: dict[str, tuple[str, ...]] = {
    "procedure examples": ("attack-procedures",),
    "TRAM1": ("tram1",),
    "TRAM1's negatives": ("tram1-negatives",),
    "experts' paragraphs and attack flows": ("ttpm-expert", "attack-flow"),
    "derived procedures": ("ttpm-derived",),
    "ATT&CK's descriptions": ("attack-techniques",),
    "TRAM1 and its negatives": ("tram1", "tram1-negatives"),
    "the small sources": ("ttpm-expert", "attack-flow", "ttpm-derived", "attack-techniques"),
}
FLOOR = 0.002


def by_svc(labels: LabelSet, knowledge: Knowledge, folds: tuple[int, ...]) -> OutOfFold:
    """Score the held-out reports by the svc, trained without their fold."""
    kept = labels.select(lambda example: example.source not in SVC_NEVER)
    trained = cross_validated(kept, knowledge, SvcSettings(), held_out=folds)
    documents = [d for d in trained.documents if trained.folds[d.id] in folds]
    return OutOfFold(
        "svc",
        {document.id: trained.score(document) for document in documents},
        {document.id: trained.folds[document.id] for document in documents},
    )


def by_encoder(
    labels: LabelSet, knowledge: Knowledge, folds: tuple[int, ...], base: str, scratch: Path
) -> OutOfFold:
    """Score the held-out reports by an encoder trained for one epoch a stage."""
    settings = EncoderTrainingSettings(base=base, threads=1)
    one = {"epochs": 1}
    settings = settings.model_copy(
        update={
            "texts": settings.texts.model_copy(update=one),
            "sentences": settings.sentences.model_copy(update=one),
        }
    )
    checkpoints = Checkpoints(scratch, {"labels": labels.digest()})
    checkpoints.clear()
    stages = Stages(labels, describe(labels, knowledge), knowledge, settings, checkpoints)
    texts = stages.texts()
    parts = []
    for fold in folds:
        stages.sentences(texts, fold)
        parts.append(stages.score(stages.validating(fold)))
    checkpoints.clear()
    unseen = joined(parts)
    slope, offset = calibrate(unseen.logits, unseen.positive, unseen.known)
    probabilities = expit(slope * unseen.logits + offset).astype(np.float32)
    probabilities[probabilities < FLOOR] = 0
    row_of = {
        (int(stages.data.fold[row]), stages.data.examples[row].text.lower()): number
        for number, row in enumerate(unseen.rows)
    }
    found = {}
    for gold in labels.documents:
        fold = stages.folds.get(gold.id)
        if fold not in folds:
            continue
        document = from_sentences([sentence.text for sentence in gold.sentences], gold.id)
        scores = np.zeros((len(document.sentences), probabilities.shape[1]), dtype=np.float32)
        for sentence in document.sentences:
            number = row_of.get((fold, sentence.text.lower()))
            if number is not None:
                scores[sentence.index] = probabilities[number]
        found[gold.id] = Recognition("encoder", stages.data.targets.techniques, csr_matrix(scores))
    return OutOfFold("encoder", found, {document: stages.folds[document] for document in found})


def counts_of(
    labels: LabelSet, scores: dict[str, OutOfFold], knowledge: Knowledge
) -> dict[str, list[Any]]:
    """Return counts a report at the best thresholds, of the fusion of the given scores."""
    documents = scored_documents(labels, scores, knowledge)
    space = space_of(documents, knowledge)
    frequencies = Counter(
        technique
        for example in labels.examples
        for technique in knowledge.with_parents(example.techniques)
    )
    names = tuple(sorted(scores, key=lambda name: (name != "svc", name)))
    held = cross_validate(documents, names, space, frequencies, knowledge, FusionSettings())
    counts = Counts.of(held)
    document = metrics.f1_of(counts.documents).mean(axis=0) + metrics.f1_of(
        counts.documents.sum(axis=0)
    )
    best, sentence = document.argmax(), metrics.f1_of(counts.sentences.sum(axis=0)).argmax()
    order = np.argsort([one.id for one in held.documents])
    return {
        "documents": counts.documents[order, best].tolist(),
        "sentences": counts.sentences[order, sentence].tolist(),
    }


STATISTICS = {
    "F1 by report": lambda c: bootstrap.mean(metrics.f1_of(c["documents"])),
    "F1 of pairs": lambda c: bootstrap.micro_f1(c["documents"]),
    "sentence micro F1": lambda c: bootstrap.micro_f1(c["sentences"]),
}


def show(results: dict[str, Any]) -> None:
    """Print a table for each system."""
    for system, rows in results.items():
        arrays = {name: {k: np.array(v) for k, v in row.items()} for name, row in rows.items()}
        if "all" not in arrays:
            continue
        print(f"\n{system}: {len(arrays['all']['documents'])} reports")
        print("| left out | " + " | ".join(STATISTICS) + " |\n|---|" + "---|" * len(STATISTICS))
        for name, counts in arrays.items():
            cells = []
            for statistic in STATISTICS.values():
                size = len(counts["documents"])
                own = statistic(counts)
                if name == "all":
                    found = bootstrap.interval(own, size)
                    cells.append(f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})")
                else:
                    change = bootstrap.compare(statistic(arrays["all"]), own, size).difference
                    cells.append(f"{change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f})")
            print(f"| {'(nothing)' if name == 'all' else name} | " + " | ".join(cells) + " |")


def main() -> None:
    """Train, score, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, action="append", default=[])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--show", type=Path, help="only print what this file holds")
    parser.add_argument("--systems", nargs="+", default=["svc", "encoder", "both"])
    parser.add_argument("--left-out", nargs="+", default=["all", *GROUPS], metavar="GROUP")
    parser.add_argument("--folds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--base", default="sentence-transformers/all-MiniLM-L6-v2")
    options = parser.parse_args()
    if options.show:
        show(json.loads(options.show.read_text("utf-8")))
        return
    if not options.data or not options.output:
        parser.error("give --data and --output, or --show")
    knowledge = Knowledge.load()
    folds = tuple(options.folds)
    everything = read_labels(tuple(options.data), NEVER, knowledge)
    results: dict[str, Any] = {}
    if options.output.exists():
        results = json.loads(options.output.read_text("utf-8"))
    kept = options.output.parent / f"{options.output.stem}-scores"
    for name in options.left_out:
        out = GROUPS.get(name, ())
        labels = everything.select(lambda example, out=out: example.source not in out)
        scores = {}
        for system, train in (
            ("svc", lambda labels=labels: by_svc(labels, knowledge, folds)),
            (
                "encoder",
                lambda labels=labels: by_encoder(
                    labels, knowledge, folds, options.base, kept / "checkpoints"
                ),
            ),
        ):
            if system not in options.systems and "both" not in options.systems:
                continue
            # The svc has never seen some, so that it is the same without them.
            same = system == "svc" and set(out) <= set(SVC_NEVER)
            folder = kept / ("all" if same else name.replace(" ", "-").replace("'", "")) / system
            if not (folder / "out-of-fold" / f"{system}.json").exists():
                begun = time.perf_counter()
                train().save(folder)
                print(f"{system} without {name}: {time.perf_counter() - begun:.0f} s", flush=True)
            scores[system] = OutOfFold.load(folder, system)
        for system in options.systems:
            parts = {"both": ("svc", "encoder")}.get(system, (system,))
            if all(part in scores for part in parts):
                counts = counts_of(labels, {part: scores[part] for part in parts}, knowledge)
                results.setdefault(system, {})[name] = counts
                options.output.write_text(json.dumps(results) + "\n", "utf-8")
    show(results)


if __name__ == "__main__":
    main()
