"""Print constraints.txt: the newest versions that fit together, for every extra.

Called by `make constraints`. pip resolves as if nothing were installed and downloads no more than
it needs to know; local versions (``+cpu``) are cut off, as they name one builder's file.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
EXTRAS = "dev,misp,opencti,postgres,ray,service,train"
# Raised by hand, with the export to ONNX tried: each torch exports in its own way.
HELD = ["torch==2.13.0"]
HEADER = """\
# The versions that this state of ttpscribe was tested with, for every extra.
# Made by `make constraints`; pip takes from it only what the chosen extras need.
"""

resolve = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
report = subprocess.run(  # noqa: S603
    [*resolve, "--report", "-", f"{PROJECT}[{EXTRAS}]", *HELD], check=True, stdout=subprocess.PIPE
).stdout
pins = {
    re.sub(r"[-_.]+", "-", entry["metadata"]["name"]).lower(): entry["metadata"]["version"]
    for entry in json.loads(report)["install"]
}
del pins["ttpscribe"]
sys.stdout.write(HEADER)
for name, version in sorted(pins.items()):
    sys.stdout.write(f"{name}=={version.split('+')[0]}\n")
