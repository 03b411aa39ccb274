"""What the installed package offers: every entry point is there, and finding them is cheap."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points
from zipfile import ZipFile

import pytest

from engine.recognizers import registry
from engine.releases import ReleaseStore


def test_help_needs_no_model_library(tmp_path):
    code = """
import sys
from engine.commands.main import build
build()(["--help"], standalone_mode=False)
print("HEAVY", *sorted({"torch", "sklearn", "scipy", "stix2", "onnxruntime"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "HEAVY"


@pytest.mark.parametrize("group", ["commands", "recognizers", "recommenders"])
def test_every_entry_point_resolves_to_what_has_its_name(group):
    points = [
        point
        for point in entry_points(group=f"ttpscribe.{group}")
        if point.dist is not None and point.dist.name == "ttpscribe"
    ]
    assert points
    for point in points:
        loaded = point.load()
        assert callable(loaded)
        assert loaded.name == point.name


def test_one_release_ships_and_is_intact(tmp_path):
    store = ReleaseStore(tmp_path)

    assert [(entry.origin, entry.champion) for entry in store.list()] == [("shipped", True)]
    manifest = store.champion().manifest
    assert {"precise", "balanced", "sensitive"} <= set(manifest.operating_points)
    assert set(manifest.recognizers) <= set(registry.names())


def test_every_source_of_the_training_is_credited(project, tmp_path):
    notice = (project / "NOTICE").read_text(encoding="utf-8")
    credited = {
        name.strip()
        for line in re.findall(r"^ +\[(.*)\]$", notice, re.MULTILINE)
        for name in re.split("[,;]", line)
    }
    sources = ReleaseStore(tmp_path).champion().manifest.training_data.sources
    assert {source.name for source in sources} - credited == set()


def test_the_wheel_holds_everything_that_the_packages_need(project, tmp_path):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, project],
        check=True,
        timeout=300,
    )
    [wheel] = tmp_path.glob("*.whl")
    held = set(ZipFile(wheel).namelist())

    needed = {
        path.relative_to(project).as_posix()
        for package in ("connector", "engine", "misp_module", "training")
        for path in (project / package).rglob("*")
        if path.is_file() and not any(part.startswith((".", "__py")) for part in path.parts)
    }
    assert needed - held == set()
    assert "engine/knowledge/attack.json" in held
    assert not any(name.startswith(("tests/", "bench/", "examples/")) for name in held)
