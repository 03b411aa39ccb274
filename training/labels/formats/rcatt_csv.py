"""rcATT's training data: CSV with a report a row, column ``Text``, and 0/1 a tactic or technique.

The ids are those of 2019, before ATT&CK had sub-techniques; the knowledge maps them.
Project: https://github.com/vlegoy/rcATT
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from engine.errors import TrainingDataError
from training.labels.formats.base import Collector, LabelFile, Labelled
from training.labels.types import LabelledDocument

NAME = "rcatt_csv"
SOURCE = "rcatt"

# Whole reports stand in one field; the module's own limit is 128 KiB.
FIELD_LIMIT = 64 * 1024 * 1024
_TECHNIQUE = re.compile(r"T\d{4}(?:\.\d{3})?")
_TACTIC = re.compile(r"TA\d{4}")


def matches(file: LabelFile) -> bool:
    """Tell by the header."""
    if file.suffix != ".csv":
        return False
    header = next(csv.reader([file.text.split("\n", 1)[0]]), [])
    return "Text" in header and any(_TECHNIQUE.fullmatch(name) for name in header)


def read(file: LabelFile, collector: Collector) -> Iterator[Labelled]:
    """Yield a document a row."""
    if not collector.uses(SOURCE):
        return
    csv.field_size_limit(FIELD_LIMIT)
    rows = csv.DictReader(file.text.splitlines(keepends=True))
    columns = [name for name in rows.fieldnames or () if _TECHNIQUE.fullmatch(name)]
    tactics = [name for name in rows.fieldnames or () if _TACTIC.fullmatch(name)]
    known = collector.current(columns)
    try:
        for number, row in enumerate(rows, start=1):
            text = row["Text"] or ""
            if not text.strip():
                collector.skip(SOURCE, "no text")
                continue
            yield LabelledDocument(
                id=f"{file.path.name}#{number}",
                text=text,
                techniques=collector.techniques(name for name in columns if _is_set(row[name])),
                source=SOURCE,
                weight=collector.settings(SOURCE).weight,
                known=known,
                title=text[:80].split("\n", 1)[0],
                tactics=frozenset(name for name in tactics if _is_set(row[name])),
            )
    except csv.Error as error:
        raise TrainingDataError(
            f"{file.path}, line {rows.line_num}: not readable as CSV ({error})."
        ) from error


def _is_set(value: str | None) -> bool:
    return value is not None and value.strip() in {"1", "1.0", "True", "true"}
