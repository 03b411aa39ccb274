"""Write the bill of materials (CycloneDX, JSON) of what ships; run by `make sbom`.

cyclonedx-py describes the whole environment; what only development needs is taken out again.
The same environment gives the same bytes.

    python .ci/sbom.py sbom.json [--quick] [EXTRA ...]     all extras if none is named
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from packaging.utils import canonicalize_name
from shipped import PROJECT, extras, shipped


def main(output: Path, chosen: list[str], *, check: bool) -> None:
    """Write the bill; ``check`` validates it against CycloneDX's schema, which takes a while."""
    tool = Path(sys.executable).with_name("cyclonedx-py")
    command = [
        *(tool, "environment", "--output-reproducible", "--spec-version", "1.6"),
        *("--validate" if check else "--no-validate", "--mc-type", "application"),
        *("--pyproject", PROJECT / "pyproject.toml", "--output-file", "-", sys.executable),
    ]
    done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    bill = json.loads(done.stdout)
    names = shipped(*(chosen or extras()))
    root = bill["metadata"]["component"]["bom-ref"]
    kept = [part for part in bill["components"] if canonicalize_name(part["name"]) in names]
    refs = {part["bom-ref"] for part in kept} | {root}
    bill["components"] = kept
    bill["dependencies"] = [
        {**line, "dependsOn": [ref for ref in line.get("dependsOn", []) if ref in refs]}
        for line in bill["dependencies"]
        if line["ref"] in refs
    ]
    output.write_text(json.dumps(bill, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    sys.stdout.write(f"{output}: {len(kept)} components\n")


if __name__ == "__main__":
    words = sys.argv[1:]
    quick = "--quick" in words
    target, *named = [word for word in words if word != "--quick"]
    main(Path(target), named, check=not quick)
