"""What ships: its licences, its bill of materials, its pins. All from what is installed here."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def licences(project, request) -> ModuleType:
    """The script, as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(project / ".ci"))
        spec = importlib.util.spec_from_file_location("licences", project / ".ci" / "licences.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def run_script(project, name, *words):
    command = [sys.executable, project / ".ci" / name, *words]
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=120, check=False
    )


def test_every_licence_that_ships_is_allowed(project):
    done = run_script(project, "licences.py")

    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[0]) > 80


@pytest.mark.parametrize(
    ("licence", "may"),
    [
        ("MIT", True),
        ("Apache Software License; BSD License", True),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("GNU Affero General Public License v3", False),
        ("GPL-2.0-or-later", False),
        ("LGPL-3.0-only", False),
        ("Proprietary", False),
        ("UNKNOWN", False),
        ("", False),
    ],
)
def test_what_is_not_on_the_list_may_not_ship(licences, licence, may):
    assert licences.allowed(licence) is may


def test_the_bill_of_materials_names_what_ships_and_nothing_else(project, tmp_path):
    done = run_script(project, "sbom.py", tmp_path / "sbom.json", "--quick", "service")
    assert done.returncode == 0, done.stderr
    bill = json.loads((tmp_path / "sbom.json").read_text(encoding="utf-8"))
    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*table["dependencies"], *table["optional-dependencies"]["service"]]
    ours = {re.split(r"[<>=\[]", line)[0].lower().replace("_", "-") for line in lines}
    named = {part["name"].lower().replace("_", "-"): part for part in bill["components"]}

    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "ttpscribe"
    assert bill["metadata"]["component"]["version"] == table["version"]
    assert ours <= set(named), "every dependency of ours is in it"
    assert "markupsafe" in named, "and what they need in turn"
    assert not {"pytest", "ruff", "hypothesis", "torch", "pycti"} & set(named)
    for part in named.values():
        assert part["version"]
        assert part["purl"].startswith("pkg:pypi/")
    graph = {line["ref"]: set(line["dependsOn"]) for line in bill["dependencies"]}
    refs = {part["bom-ref"] for part in named.values()}
    assert set().union(*graph.values()) <= refs
    assert named["markupsafe"]["bom-ref"] in graph[named["jinja2"]["bom-ref"]]
