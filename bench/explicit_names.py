"""Precision of name mentions by class, on TRAM2: ``python bench/explicit_names.py [DATA]``.

DATA is the directory with ``tram2_documents.jsonl.gz`` and ``tram2_sentences.jsonl.gz``.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections import defaultdict
from pathlib import Path

from engine.knowledge import Knowledge
from engine.recognizers.explicit import ExplicitRecognizer
from engine.types import Document, Sentence


def records(path: Path) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def families(techniques: list[str]) -> set[str]:
    return {technique[:5] for technique in techniques}


def main() -> None:
    data = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/text")
    recognizer = ExplicitRecognizer.load(None, Knowledge.load(), {})
    spans = records(data / "tram2_spans.jsonl.gz")
    core = families([s["label"] for s in spans if s["annotation_class"] == "core50+sub"])
    by_document = defaultdict(list)
    for record in records(data / "tram2_sentences.jsonl.gz"):
        by_document[record["doc_id"]].append(record)
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * 4)
    characters, seconds = 0, 0.0
    for report in records(data / "tram2_documents.jsonl.gz"):
        parts = sorted(by_document[report["doc_id"]], key=lambda r: r["start"])
        sentences = tuple(
            Sentence(i, report["text"][p["start"] : p["end"]], p["start"], p["end"])
            for i, p in enumerate(parts)
        )
        document = Document(report["doc_id"], report["text"], sentences, "")
        start = time.perf_counter()
        recognition = recognizer.recognize(document)
        seconds += time.perf_counter() - start
        characters += len(report["text"])
        scores = recognition.sentence_scores.tocoo()
        for row, column, score in zip(scores.row, scores.col, scores.data, strict=True):
            technique = recognition.techniques[column]
            if technique[:5] in core:
                count = counts[f"{score:.2f}"]
                count[0] += 1
                count[1] += technique in report["labels"]
                count[2] += technique[:5] in families(report["labels"])
                count[3] += technique[:5] in families(parts[row]["labels"])
    print("score  mentions  document  family  sentence (family)")
    for score, (n, exact, family, sentence) in sorted(counts.items(), reverse=True):
        print(f"{score}  {n:8}  {exact / n:8.2f}  {family / n:6.2f}  {sentence / n:17.2f}")
    print(f"{seconds / characters * 16_000_000:.1f} ms for 16,000 characters (2,500 words)")


if __name__ == "__main__":
    main()
