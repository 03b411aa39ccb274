"""Module files where misp-modules finds them, and what they may not do there."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine import __version__
from engine.commands.main import build
from engine.errors import UsageError
from misp_module import install as installing
from misp_module.harvesting.settings import HarvestSettings
from misp_module.settings import PREFIX, Settings

MODULES = sorted(installing.MODULES.rglob("*.py"))


def test_a_root_holds_modules_client_and_record(tmp_path):
    written = installing.install(tmp_path / "new" / "root", Path("/opt/python"))
    root = tmp_path / "new" / "root"

    assert all(path.is_file() for path in written)
    assert (root / "expansion" / "ttpscribe_attack.py").exists()
    found = installing.installed(root)
    assert found.version == __version__
    assert found.command == ("/opt/python", "-P", "-m", "misp_module.worker")
    assert installing.installed(tmp_path) is None


def test_installing_again_replaces_the_files(tmp_path):
    installing.install(tmp_path)
    module = tmp_path / "expansion" / "ai_connector.py"
    module.write_text("old")
    installing.install(tmp_path)

    assert "tag" in module.read_text()


def test_a_root_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "expansion").write_text("a file in the way")
    with pytest.raises(UsageError, match="cannot be written"):
        installing.install(tmp_path)


def test_the_client_needs_the_standard_library_only(tmp_path):
    """It runs in the environment of misp-modules, which has nothing of ours."""
    installing.install(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import misp_module.client, json; "
        "print(json.dumps(sorted({n.split('.')[0] for n in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(tmp_path)],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    loaded = {name for name in json.loads(done.stdout) if not name.startswith("_")}

    assert loaded <= set(sys.stdlib_module_names) | {"misp_module"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_file_is_what_the_server_needs(path):
    tree = ast.parse(path.read_text())
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}

    assert {"handler", "introspection", "version"} <= defined
    assert imported <= {"sys"}, "models are never loaded in the server"
    assert not any(isinstance(n, ast.ImportFrom) and n.level for n in ast.walk(tree))
    # The file's name becomes a module's name in the server.
    assert path.stem not in sys.stdlib_module_names
    assert path.stem not in {"engine", "connector", "training", "misp_module", "ttpscribe"}


def test_what_the_server_lists(server):
    for name in installing.module_names():
        module = server.modules()[name]
        config = module["meta"]["config"]
        expected = {
            "version", "author", "name", "description", "module-type", "logo", "requirements",
            "features", "references", "input", "output",
        }  # fmt: skip
        assert expected <= set(module["meta"])
        if module["type"] == "action_mod":
            assert "params" in config
        else:
            assert all(isinstance(setting, str) for setting in config)
    assert server.modules()["ttpscribe_attack"]["mispattributes"]["format"] == "misp_standard"
    assert server.modules()["ai_connector"]["meta"]["module-type"] == ["ai"]


def test_the_page_names_every_setting(project):
    page = (project / "docs" / "misp.md").read_text()
    names = Settings.model_fields | HarvestSettings.model_fields
    variables = {f"{PREFIX}{name.upper()}" for name in names}
    assert set(re.findall(rf"{PREFIX}[A-Z_]+", page)) == variables
    for path in MODULES:
        for setting in set(re.findall(r"^    \"([a-z_]+)\",$", path.read_text(), re.MULTILINE)):
            assert f"`{setting}`" in page


@pytest.mark.parametrize("command", ["install", "check", "enrich", "backfill", "harvest"])
def test_the_page_shows_commands_that_exist(project, command):
    page = (project / "docs" / "misp.md").read_text()
    shown = CliRunner().invoke(build(), ["misp", command, "--help"])
    (line,) = re.findall(rf"ttpscribe misp {command}\b(.*)$", page, re.MULTILINE)[:1]

    assert shown.exit_code == 0
    for option in re.findall(r"--[a-z]+", line.split("#")[0]):
        assert option in shown.output
