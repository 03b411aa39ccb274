"""Put a real run of the example into README.md, between its markers. Run by `make readme`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
README = PROJECT / "README.md"
REPORT = "examples/copper-lantern.pdf"
COLUMNS = "100"
MARKED = re.compile(r"(<!-- real run: begin -->\n).*?(<!-- real run: end -->)", re.DOTALL)
FINDINGS = 8


def run() -> str:
    """Return what the command prints, cut after the first findings."""
    done = subprocess.run(  # noqa: S603 - our own command
        [Path(sys.executable).with_name("ttpscribe"), "analyse", REPORT],
        cwd=PROJECT,
        env={**os.environ, "COLUMNS": COLUMNS},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return shortened(done.stdout.splitlines())


def shortened(lines: list[str]) -> str:
    """Keep the head and the first findings; say how many lines follow."""
    starts = [i for i, line in enumerate(lines) if re.match(r" T\d{4}", line)]
    if len(starts) <= FINDINGS:
        return "\n".join(lines)
    kept = lines[: starts[FINDINGS]]
    return "\n".join([*kept, f" … and {len(lines) - len(kept)} lines more"])


def main() -> None:
    """Write README.md anew."""
    text = README.read_text(encoding="utf-8")
    shown = f"```text\n$ ttpscribe analyse {REPORT}\n{run()}\n```\n"
    changed, count = MARKED.subn(lambda found: found[1] + shown + found[2], text)
    if count != 1:
        sys.exit("README.md has lost the markers of the real run.")
    README.write_text(changed, encoding="utf-8")


if __name__ == "__main__":
    main()
