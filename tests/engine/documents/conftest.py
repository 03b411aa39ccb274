"""Real reports, and files built byte by byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from document_builders import PdfPage, lines, make_docx, make_pdf, paragraph

REPORTS = Path(__file__).resolve().parents[4] / "shared" / "data" / "reports"


@pytest.fixture
def report() -> Callable[[str], Path]:
    """Paths of the real reports, or a skip where they are not at hand."""

    def find(name: str) -> Path:
        path = REPORTS / name
        if not path.exists():
            pytest.skip(f"needs ../shared/data/reports/{name}")
        return path

    return find


@pytest.fixture
def files() -> SimpleNamespace:
    """The builders above, by short names."""
    return SimpleNamespace(
        pdf=make_pdf, page=PdfPage, lines=lines, docx=make_docx, paragraph=paragraph
    )
