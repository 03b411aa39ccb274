"""Print a report in Markdown to PDF, through headless Chromium.

Run by `make report`. The PDF has page numbers, and the text of the Markdown in its order.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
@page {{ size: A4; margin: 22mm 20mm 20mm; font: 8pt sans-serif; color: #667;
  @bottom-left {{ content: "{title}"; }}
  @bottom-right {{ content: counter(page) " / " counter(pages); }}
}}
body {{ font: 10.5pt/1.45 "DejaVu Serif", Georgia, serif; color: #16202a; }}
h1, h2, table {{ font-family: "DejaVu Sans", Helvetica, Arial, sans-serif; }}
h1 {{ font-size: 20pt; line-height: 1.2; margin: 0 0 8pt; color: #7a3b12; }}
h2 {{ font-size: 12.5pt; margin: 18pt 0 5pt; color: #7a3b12; break-after: avoid; }}
p {{ margin: 0 0 7pt; }}
pre {{ background: #f4f1ec; border-left: 2.5pt solid #b87333; padding: 6pt 8pt; break-inside: avoid;
  font: 8.2pt/1.4 "DejaVu Sans Mono", monospace; white-space: pre-wrap; }}
code {{ font-family: "DejaVu Sans Mono", monospace; font-size: 0.85em; overflow-wrap: anywhere; }}
pre code {{ font-size: inherit; }}
table {{ border-collapse: collapse; width: 100%; font-size: 8.2pt; margin: 6pt 0 10pt; }}
th {{ text-align: left; border-bottom: 1pt solid #7a3b12; }}
th, td {{ padding: 3pt 8pt 3pt 0; vertical-align: top; overflow-wrap: anywhere; }}
td {{ border-bottom: 0.4pt solid #d8d2c8; }}
td:first-child {{ white-space: nowrap; }}
table, tr {{ break-inside: avoid; }}
h2 + p {{ break-after: avoid; }}
</style></head><body>
{body}
</body></html>
"""


def main() -> None:
    source = Path(sys.argv[1])
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if browser is None:
        sys.exit("Printing needs Chromium: apt-get install chromium")
    text = source.read_text(encoding="utf-8")
    title = text.splitlines()[0].removeprefix("# ")
    body = MarkdownIt("commonmark").enable("table").render(text)
    target = source.with_suffix(".pdf").resolve()
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "page.html"
        page.write_text(PAGE.format(title=title, body=body), encoding="utf-8")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
        command += [f"--user-data-dir={scratch}/profile", f"--print-to-pdf={target}", page.as_uri()]
        subprocess.run(command, check=True, timeout=120, stderr=subprocess.DEVNULL)
    print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
