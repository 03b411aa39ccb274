"""Draw the event report of the example, as MISP's interface shows Markdown, for docs/misp.md.

Run by hand after a change of the report: python examples/picture_event_report.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

from misp_module import settings
from misp_module.analyser import LocalAnalyser
from misp_module.answer import Answerer
from misp_module.reader import Reader
from misp_module.settings import Options

PROJECT = Path(__file__).resolve().parent.parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# What MISP lays around the Markdown: a panel with the report's name, Bootstrap's tables.
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><style>
body {{ font: 13px/1.5 "Helvetica Neue", Helvetica, Arial, sans-serif; color: #333; margin: 0; }}
header {{ background: #0088cc; color: #fff; padding: 9px 20px; font-size: 15px; }}
main {{ padding: 14px 20px 30px; }}
h2 {{ font-size: 19px; }} h3 {{ font-size: 16px; }}
a {{ color: #0088cc; text-decoration: none; }}
table {{ border-collapse: collapse; width: 100%; margin: 10px 0 16px; }}
th, td {{ border: 1px solid #ddd; padding: 4px 8px; vertical-align: top; text-align: left; }}
tr:nth-child(even) td {{ background: #f9f9f9; }}
</style></head><body><header>Event report: {name}</header><main>{body}</main></body></html>
"""


def main() -> None:
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if browser is None:
        sys.exit("Drawing needs Chromium: apt-get install chromium")
    pdf = PROJECT / "examples" / "copper-lantern.pdf"
    options = Options()
    source = Reader(options, settings.load()).imported(pdf.read_bytes(), pdf.name, "1")
    answer = Answerer(LocalAnalyser(), settings.load).written([source], options)
    (report,) = answer["results"]["EventReport"]
    body = MarkdownIt("commonmark").enable("table").render(report["content"])
    target = PROJECT / "docs" / "images" / "misp-event-report.png"
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "page.html"
        page.write_text(PAGE.format(name=report["name"], body=body), encoding="utf-8")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={scratch}/profile", "--window-size=1100,1000"]
        command += [f"--screenshot={target}", page.as_uri()]
        subprocess.run(command, check=True, timeout=120, stderr=subprocess.DEVNULL)
    print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
