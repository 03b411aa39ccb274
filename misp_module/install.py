"""Lay the module files where ``misp-modules -c ROOT`` finds them."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from engine import __version__
from engine.errors import UsageError
from misp_module.client.ask import RECORD

PACKAGE = Path(__file__).parent
MODULES = PACKAGE / "modules"
CLIENT = "misp_module"
INIT = '"""The client of ttpscribe, copied by `ttpscribe misp install`."""\n'


@dataclass(frozen=True, slots=True)
class Installed:
    """What ``install`` recorded in a root.

    Attributes
    ----------
    command : tuple of str
        The worker's command line.
    version : str
        The version of ttpscribe that was installed.
    """

    command: tuple[str, ...]
    version: str


def install(root: Path, python: Path | None = None) -> list[Path]:
    """Copy the module files and the client into a root of custom modules.

    Nothing is installed into the environment of misp-modules: the files there need the standard
    library only, and start the worker with the interpreter named here.

    Parameters
    ----------
    root : Path
        Made if it is not there.
    python : Path, optional
        Interpreter that has ttpscribe; the one that runs this by default.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    UsageError
        If the root cannot be written.
    """
    command = [str(python or sys.executable), "-P", "-m", "misp_module.worker"]
    try:
        written = [_copy(path, root / path.relative_to(MODULES)) for path in _sources(MODULES)]
        client = root / CLIENT
        written += [
            _copy(path, client / path.relative_to(PACKAGE)) for path in _sources(PACKAGE / "client")
        ]
        (client / "__init__.py").write_text(INIT, encoding="utf-8")
        record = root / RECORD
        record.write_text(
            json.dumps({"command": command, "version": __version__}, indent=2) + "\n",
            encoding="utf-8",
        )
    except OSError as error:
        raise UsageError(
            f"{root} cannot be written ({error.strerror}): run this as the user whom it belongs to."
        ) from error
    return [*written, client / "__init__.py", record]


def installed(root: Path) -> Installed | None:
    """Return what was installed in a root; None where nothing was, or it cannot be read."""
    try:
        record = json.loads((root / RECORD).read_text(encoding="utf-8"))
        return Installed(tuple(record["command"]), str(record["version"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def module_names() -> list[str]:
    """Return the names of our modules, as the server lists them."""
    return sorted(path.stem for path in _sources(MODULES))


def _sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def _copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return target
