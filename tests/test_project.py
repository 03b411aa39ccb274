"""What holds for the project as a whole: arrows, cost of importing, promises of its pages."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGES = ("connector", "engine", "misp_module", "training")
BIN = Path(sys.executable).parent
HARMLESS = {"pickle.UnpicklingError"}  # an error to catch, which loads nothing
UNPICKLERS = {"pickle", "_pickle", "cloudpickle", "dill", "marshal", "shelve"}
NETWORK = {"aiohttp", "ftplib", "httpx", "ray", "requests", "socket", "urllib3", "websockets"}
CLUSTER = Path("engine/scale/cluster.py")


def sources(project: Path, *packages: str) -> Iterator[tuple[Path, ast.Module]]:
    for package in packages:
        for path in sorted((project / package).rglob("*.py")):
            yield path.relative_to(project), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            if not names <= HARMLESS:
                yield node.module
                yield from sorted(names)


def run(*command: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_no_import_goes_against_the_arrows(project):
    done = run(BIN / "lint-imports", cwd=project)

    assert done.returncode == 0, done.stdout


def test_importing_the_engine_is_cheap(tmp_path):
    code = """
import sys, time
start = time.perf_counter()
import engine
heavy = {"torch", "sklearn", "scipy", "numpy", "stix2", "onnxruntime", "lxml"} & set(sys.modules)
print(time.perf_counter() - start, *sorted(heavy))
"""
    seconds, *heavy = min(
        (run(sys.executable, "-c", code, cwd=tmp_path).stdout.split() for _ in range(3)),
        key=lambda words: float(words[0]),
    )

    assert heavy == []
    assert float(seconds) < 0.3


def test_nothing_is_unpickled(project):
    found = []
    for path, tree in sources(project, *PACKAGES):
        found += [
            (path, name)
            for name in imported(tree)
            if name.split(".")[0] in UNPICKLERS or name in {"joblib.load", "joblib.dump"}
        ]
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if called in {"joblib.load", "joblib.dump"}:
                found.append((path, called))
            if called == "torch.load" and keywords.get("weights_only") != "True":
                found.append((path, called))
            if keywords.get("allow_pickle", "False") != "False":
                found.append((path, called))
    assert found == []


def test_no_call_lowers_a_guard(project):
    found = []
    for path, tree in sources(project, *PACKAGES):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
            guards = (
                keywords.get("shell", "False") == "False",
                keywords.get("verify", "") != "False",
                keywords.get("ssl_verify", "") != "False",
                keywords.get("trust_remote_code", "False") == "False",
                called
                not in {"eval", "exec", "os.system", "os.popen", "yaml.load", "tempfile.mktemp"},
            )
            if not all(guards):
                found.append(f"{path}:{node.lineno}: {ast.unparse(node)[:80]}")
    assert found == []


def test_the_engine_opens_no_connection(project):
    """Only its service may listen; nothing calls out but what joins the cluster of an admin."""
    found = [
        (path, name)
        for path, tree in sources(project, "engine")
        if path.parts[1] != "service" and path != CLUSTER
        for name in imported(tree)
        if name.split(".")[0] in NETWORK or name.startswith(("urllib.request", "http.client"))
    ]
    assert found == []


def test_every_module_can_be_read_in_one_go(project):
    lengths = {
        path: len((project / path).read_text(encoding="utf-8").splitlines())
        for path, _ in sources(project, *PACKAGES)
    }
    assert {path: length for path, length in lengths.items() if length > 350} == {}


def test_every_dependency_has_both_bounds(project):
    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = table["optional-dependencies"]
    needed = [*table["dependencies"], *(line for extra in extras.values() for line in extra)]
    loose = [line for line in needed if "==" not in line and not re.search(r">=.*,<", line)]
    assert loose == []


def test_every_dependency_is_pinned(project):
    pins = (project / "constraints.txt").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([a-z0-9.-]+)==[^+\s]+$", pins, re.MULTILINE))
    lines = [line for line in pins.splitlines() if line and not line.startswith("#")]
    assert len(pinned) == len(lines), "each line is name==version, without a local version"
    assert lines == sorted(lines, key=lambda line: line.split("==")[0])

    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = table["optional-dependencies"]
    needed = [*table["dependencies"], *(line for extra in extras.values() for line in extra)]
    names = {re.split(r"[<>=\[]", line)[0].strip().lower().replace("_", "-") for line in needed}
    assert names <= pinned


def test_the_version_is_the_same_everywhere(project):
    import engine

    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert engine.__version__ == table["version"]
    assert run(BIN / "ttpscribe", "--version").stdout == f"ttpscribe {table['version']}\n"


def test_every_make_target_that_the_pages_name_exists(project):
    makefile = (project / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (project / page).read_text(encoding="utf-8")
        named = set(re.findall(r"(?:^|`|    |\$ )make ([a-z-]+)\b", text, re.MULTILINE))
        assert named <= targets, page
        assert named, page


def commands_of(text: str) -> Iterator[list[str]]:
    """Every call of ttpscribe in the code blocks of a page, cut into words."""
    for block in re.findall(r"^```(?:console|sh|bash)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.search(r"(?:^|\$ |\| )ttpscribe (.+?)(?:\||<|>|#|$)", line):
                yield found.group(1).split()


@cache
def usage(*command: str) -> str:
    done = run(BIN / "ttpscribe", *command, "--help")
    assert done.returncode == 0, command
    return done.stdout


def test_every_command_and_option_in_the_readme_exists(project):
    calls = list(commands_of((project / "README.md").read_text(encoding="utf-8")))
    assert len(calls) >= 5
    for words in calls:
        shown = usage(words[0])
        if "COMMAND [ARGS]" in shown:
            shown = usage(*words[:2])
        for option in (word for word in words if re.match(r"--[a-z]", word)):
            assert re.search(rf"{option}\b", shown), (words, option)


def test_the_example_report_is_the_printed_markdown(project):
    """Every word of the Markdown's prose is in the PDF, so that nobody forgot `make report`."""
    from engine.documents import read_path

    examples = project / "examples"
    printed = read_path(examples / "copper-lantern.pdf")
    written = (examples / "copper-lantern.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[A-Za-z]{4,}", written))
    missing = words - set(re.findall(r"[A-Za-z]{4,}", printed.text))

    assert printed.pages == 6
    assert (examples / "copper-lantern.pdf").stat().st_size < 300_000
    assert len(missing) <= 12, sorted(missing)  # words that the PDF breaks over two lines
