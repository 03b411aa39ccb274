"""The page on adding a model, done as it says: its package built, installed and run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def blocks(project: Path) -> list[str]:
    page = (project / "docs" / "add-a-model.md").read_text(encoding="utf-8")
    return re.findall(r"^```(?:toml|python)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def site(blocks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the page's package installed."""
    package = tmp_path_factory.mktemp("package")
    (package / "pyproject.toml").write_text(blocks[0])
    (package / "ttpscribe_borrowed.py").write_text(blocks[1])
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run(
        [*pip, "--no-deps", "--no-index", "--no-build-isolation", "--target", site, package],
        check=True,
        timeout=120,
    )
    return site


def run(code: str, site: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_outsiders_recognizer_is_found_and_recognizes(blocks, site, tmp_path):
    done = run(blocks[2], site, tmp_path)

    assert done.returncode == 0, done.stderr


def test_it_satisfies_the_protocol(site, tmp_path):
    code = """
from engine.knowledge import Knowledge
from engine.recognizers import Recognizer
from ttpscribe_borrowed import Borrowed
assert isinstance(Borrowed.load(None, Knowledge.load(), {}), Recognizer)
"""
    done = run(code, site, tmp_path)

    assert done.returncode == 0, done.stderr


def test_a_release_can_name_it(blocks, site, tmp_path, project):
    """With the release kept for tests as the champion, so that the code's own steps are tested."""
    kept = project / "tests" / "engine" / "releases" / "kept" / "protocol-1"
    code = f"import os; os.environ['TTPSCRIBE_RELEASE'] = {str(kept)!r}\n{blocks[3]}"
    done = run(code, site, tmp_path)
    assert done.returncode == 0, done.stderr

    code = """
from pathlib import Path
from engine.releases import Release
release = Release.open(Path("with-borrowed"))
assert release.manifest.recognizers["borrowed"] == {"probability": 0.7}
assert "svc" in release.manifest.recognizers and release.directory("recognizers/svc")
"""
    done = run(code, site, tmp_path)
    assert done.returncode == 0, done.stderr
