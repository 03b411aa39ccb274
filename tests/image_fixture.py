"""The images, made of what is installed here; `conftest` hands the fixture to all tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from images import Builder, linked


@pytest.fixture(scope="session")
def image() -> Iterator[Callable[[str], Builder]]:
    """Build an image by name; all share the stage that makes the wheel."""
    # Not below pytest's own directory, which no other user may enter.
    top = Path(tempfile.mkdtemp(prefix="ttpscribe-images-"))
    top.chmod(0o755)
    first = linked(top / "builder")
    first.build("builder")

    def make(name: str) -> Builder:
        made = first.fork(top / name)
        made.build(name)
        return made

    yield make
    shutil.rmtree(top, ignore_errors=True)
