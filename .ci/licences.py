"""Check the licence of everything that ships; run by `make licences` and by the tests.

What is not on the list of allowed licences is an error until somebody has looked at it: an unknown
licence no less than a forbidden one.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from packaging.utils import canonicalize_name
from shipped import extras, shipped

ALLOWED = re.compile(
    r"(?:the )?(?:0BSD|AFL-2\.1|Apache(?:[ -]2\.0)?(?: Software)?(?: License)?(?: 2\.0)?"
    r"(?: WITH LLVM-exception)?|(?:\d-Clause )?BSD(?:-\d-Clause)?(?: License)?|BSL-1\.0|CC0-1\.0"
    r"|CNRI-Python|ISC(?: License \(ISCL\))?|MIT(?:-0|-CMU)?(?: License)?|MPL-2\.0"
    r"|Mozilla Public License 2\.0 \(MPL 2\.0\)|PSF-2\.0|Python Software Foundation License|Zlib)",
    re.IGNORECASE,
)
# Looked at one by one, with the reason why they may ship.
EXCEPTIONS = {
    "psycopg": "LGPL-3.0: a library of its own in an optional extra, used unchanged",
    "psycopg-binary": "LGPL-3.0: as psycopg",
    "pypdfium2": "BSD-3-Clause and Apache-2.0; the libraries in PDFium are named in its files",
}


def allowed(licence: str) -> bool:
    """Whether every part of a licence's text is allowed; of alternatives, one is enough.

    >>> allowed("MIT OR GPL-3.0-only"), allowed("MIT AND GPL-3.0-only"), allowed("UNKNOWN")
    (True, False, False)
    """
    return any(
        all(ALLOWED.fullmatch(part.strip()) for part in both)
        for both in (re.split(r" AND |[;,]", choice) for choice in re.split(r"\s+OR\s+", licence))
    )


def main() -> int:
    """Print what may not ship; return the exit code."""
    try:
        names = shipped(*extras())
    except PackageNotFoundError as error:
        sys.stderr.write(
            f"{error.name} is not installed, so its licence cannot be read: make install\n"
        )
        return 2
    tool = Path(sys.executable).with_name("pip-licenses")
    listed = json.loads(
        subprocess.run(  # noqa: S603
            [tool, "--format", "json", "--with-system", "--packages", *sorted(names)],
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
    )
    found = {canonicalize_name(entry["Name"]): entry["License"] for entry in listed}
    bad = {
        name: found.get(name, "UNKNOWN")
        for name in sorted(names - set(EXCEPTIONS))
        if not allowed(found.get(name, "UNKNOWN"))
    }
    for name, licence in bad.items():
        sys.stdout.write(f"{name}: {licence} is not on the list of allowed licences\n")
    sys.stdout.write(
        f"{len(names)} distributions ship with {', '.join(extras())}; "
        f"{len(bad)} may not, {len(EXCEPTIONS.keys() & names)} by exception\n"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
