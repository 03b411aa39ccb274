"""Draw hostile files for as long as asked, and keep those that break the parsers.

The tests draw a fixed few hundred of them; this goes on from seed to seed. A file that breaks
something is made as small as it can be, written to the folder, and named with what it broke.

    python bench/fuzz.py                              five minutes, all formats
    python bench/fuzz.py --minutes 60 --format pdf    an hour of PDF
    python bench/fuzz.py --read found/3.docx          read one of them again
"""

from __future__ import annotations

import argparse
import re
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "tests"))

from document_fuzzing import SUFFIXES, File, check, files  # noqa: E402

EXAMPLES = 200


class Drawn:
    """What one format has seen so far, and the last file that broke something."""

    def __init__(self, suffix: str) -> None:
        self.suffix = suffix
        self.counts: Counter[str] = Counter()
        self.broken: File | None = None

    def draw(self, number: int) -> str | None:
        """Draw some files from a seed; return what the smallest of them broke."""
        self.broken = None

        @seed(number)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(files(self.suffix))
        def fuzz(file: File) -> None:
            try:
                self.counts["refused" if check(*file) is None else "read"] += 1
            except AssertionError:
                self.broken = file
                raise

        try:
            fuzz()
        except AssertionError:
            self.counts["broken"] += 1
            return traceback.format_exc(limit=-3)
        return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--format", choices=SUFFIXES, action="append")
    parser.add_argument(
        "--seed", type=int, default=0, help="where to start; the same draws the same"
    )
    parser.add_argument("--output", type=Path, default=Path("fuzz-found"))
    parser.add_argument("--read", type=Path, help="only read this file, as the fuzz does")
    options = parser.parse_args()
    if options.read:
        print(check(options.read.read_bytes(), options.read.name))
        return 0
    drawn = [Drawn(suffix) for suffix in options.format or SUFFIXES]
    until = time.monotonic() + 60 * options.minutes
    number = options.seed
    found: set[str] = set()
    while time.monotonic() < until:
        for one in drawn:
            broke = one.draw(number)
            # The same fault again and again is one fault: what was raised, and where, tells.
            if broke and (key := re.sub(r"\d+", "", "".join(broke.splitlines()[-2:]))) not in found:
                found.add(key)
                options.output.mkdir(parents=True, exist_ok=True)
                path = options.output / f"{len(found)}.{one.suffix}"
                assert one.broken is not None  # noqa: S101
                path.write_bytes(one.broken[0])
                print(f"{path}: {one.broken[1]}, {one.broken[2]}\n{broke}\n", flush=True)
        number += 1
    print(f"{'format':8}{'read':>10}{'refused':>10}{'broken':>10}   to seed {number - 1}")
    for one in drawn:
        counts = (one.counts[word] for word in ("read", "refused", "broken"))
        print(f"{one.suffix:8}" + "".join(f"{count:10,}" for count in counts))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
