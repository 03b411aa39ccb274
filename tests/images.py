"""The images of the Dockerfile without a container engine: its own steps, run in a directory.

The Dockerfile is parsed, not copied. Its absolute paths (``/src``, ``/opt``,
``/var/lib/ttpscribe``) lead below one directory; its steps run there as a user without rights, in
the order and with the environment that the file says. What needs root in a container (making the
user, taking pip away) is left to tests that read the file.

Two ways to install: `linked` reuses what is installed on this machine, but only the packages that
the image's own requirements lead to, so that one which is missing from them is missed; without it
pip fetches everything, as a build does (``make images``).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
NOBODY, OTHER = 65534, 65533  # who installs, and who runs: the latter may write nothing of it
_MOVED = re.compile(r"(?<![\w.:/-])/(src|opt|var/lib/ttpscribe|run/secrets)\b")
_INSTRUCTION = re.compile(r"^([A-Z]+)\s+(.*)$", re.DOTALL)


@dataclass
class Stage:
    """One stage of the Dockerfile: what it is built from, and its instructions in order."""

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, instruction: str) -> str | None:
        """Return the argument of the last instruction of a kind."""
        return next((value for key, value in reversed(self.steps) if key == instruction), None)


def stages(text: str | None = None) -> dict[str, Stage]:
    """Parse the Dockerfile."""
    text = text or (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found: dict[str, Stage] = {}
    current = None
    for line in filter(None, map(str.strip, joined.splitlines())):
        match = _INSTRUCTION.match(line)
        assert match, line
        key, value = match.groups()
        if key == "FROM":
            base, _, name = value.partition(" AS ")
            current = found[name] = Stage(name, base)
        elif current is not None:
            current.steps.append((key, value))
    return found


def chain(name: str) -> list[Stage]:
    """Return a stage and what it is built from, the base first."""
    known, line = stages(), []
    while name in known:
        line.insert(0, known[name])
        name = known[name].base
    return line


def setting(name: str, instruction: str) -> str | None:
    """Return an instruction of an image, of itself or of what it is built from."""
    return next(
        (value for stage in reversed(chain(name)) if (value := stage.last(instruction))), None
    )


def environment(name: str) -> dict[str, str]:
    """Return the variables of an image."""
    found: dict[str, str] = {}
    for stage in chain(name):
        for key, value in stage.steps:
            if key == "ENV":
                for word in shlex.split(value):
                    variable, _, content = word.partition("=")
                    found[variable] = content.replace("$PATH", found.get("PATH", ""))
    return found


class Builder:
    """Builds images below a directory.

    Parameters
    ----------
    root : Path
        Stands for ``/``.
    shim : Path or None
        A directory with a ``pip`` of ours to put before the real one; see `Linked`.
    """

    def __init__(self, root: Path, shim: Path | None = None, extra: Mapping[str, str] = {}) -> None:
        self.root = root
        self.shim = shim
        self.extra = dict(extra)
        self._built: set[str] = set()
        for folder in ("src", "opt", "var/lib/ttpscribe", "run/secrets", "tmp"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        _own(root, NOBODY)

    def fork(self, root: Path) -> Builder:
        """Go on from here in another directory, as another target does from the same stage."""
        for folder in ("src", "opt"):
            root.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-al", str(self.root / folder), str(root)], check=True)
        made = Builder(root, self.shim, self.extra)
        made._built = set(self._built)
        return made

    def moved(self, text: str) -> str:
        """Lead absolute paths of the image below the root."""
        return _MOVED.sub(lambda found: f"{self.root}/{found[1]}", text)

    def build(self, name: str) -> None:
        """Run the steps of a stage, after those of all that it is made from."""
        if name in self._built or name not in stages():
            return
        self._built.add(name)
        stage = stages()[name]
        self.build(stage.base)
        for key, value in stage.steps:
            if key == "COPY":
                self._copy(value)
            elif key == "RUN" and name == "runtime":
                self._folders(value)
            elif key == "RUN":
                self._run(name, value)

    def _copy(self, value: str) -> None:
        *words, target = shlex.split(value)
        if words[0].startswith("--from="):
            source = words[0].removeprefix("--from=")
            self.build(source)
            assert words[1:] == [target], "between stages nothing moves"
            assert Path(self.moved(target)).exists(), f"{source} has no {target}"
            return
        folder = self.root / "src"
        for word in words:
            source = PROJECT / word
            assert source.exists(), word
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
                shutil.copytree(source, folder / target, ignore=ignored, dirs_exist_ok=True)
            else:
                into = folder / target
                shutil.copyfile(source, into / source.name if into.is_dir() else into)
        _own(folder, NOBODY)

    def _folders(self, value: str) -> None:
        for path in re.findall(r"/var/lib/ttpscribe[\w/-]*", value):
            folder = Path(self.moved(path))
            folder.mkdir(parents=True, exist_ok=True)
            _own(folder, OTHER)

    def _run(self, name: str, value: str) -> None:
        known = {
            word: content.strip('"')
            for stage in chain(name)
            for key, line in stage.steps
            if key == "ARG"
            for word, _, content in [line.partition("=")]
        }
        path = [str(Path(sys.executable).parent), "/usr/bin", "/bin"]
        if self.shim is not None:
            path.insert(0, str(self.shim))
        variables = {k: self.moved(v) for k, v in environment(name).items()}
        done = subprocess.run(
            [*_as(NOBODY), "sh", "-ec", self.moved(value)],
            cwd=self.root / "src",
            env={
                **known, "HOME": str(self.root / "tmp"), "TMPDIR": str(self.root / "tmp"),
                **variables, **self.extra, "PATH": os.pathsep.join(path),
            },
            capture_output=True, text=True, timeout=3000, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{value}\n{done.stdout}\n{done.stderr}"

    def python(self, name: str = "ttpscribe") -> Path:
        """Return the interpreter of an environment."""
        return self.root / "opt" / name / "bin" / "python"

    def run(self, name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of an image to its end, as ``docker compose run`` does."""
        command = json.loads(setting(name, "ENTRYPOINT") or "[]")
        command += arguments or json.loads(setting(name, "CMD") or "[]")
        return subprocess.run(
            [*_as(OTHER), *map(self.moved, command)],
            cwd=self.root / "var/lib/ttpscribe",
            env=self._environment(name, {}, variables),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    @contextmanager
    def start(self, name: str, **variables: str) -> Iterator[Started]:
        """Start an image with its own command, as a user who may write only its data."""
        command = json.loads(setting(name, "ENTRYPOINT") or "[]")
        command += json.loads(setting(name, "CMD") or "[]")
        ports = {port: str(free_port()) for port in (setting(name, "EXPOSE") or "").split()}
        env = self._environment(name, ports, variables)
        log = self.root / "tmp" / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*_as(OTHER), *(self._local(word, ports) for word in command)],
                cwd=self.root / "var/lib/ttpscribe",
                env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        started = Started(self, name, process, log, env, ports)
        try:
            yield started
        finally:
            started.stop()

    def _environment(
        self, name: str, ports: Mapping[str, str], variables: Mapping[str, str]
    ) -> dict[str, str]:
        own = {key: self._local(value, ports) for key, value in environment(name).items()}
        path = f"{self.root}/opt/ttpscribe/bin:/usr/bin:/bin"
        home = str(self.root / "var/lib/ttpscribe")
        return {**own, "PATH": path, "HOME": home, **variables}

    def _local(self, word: str, ports: Mapping[str, str]) -> str:
        """Lead a word to our paths and ports, and to loopback."""
        word = self.moved(word).replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - taken away
        for port, ours in ports.items():
            word = re.sub(rf"(?<!\d){port}(?!\d)", ours, word)
        return word


class Started:
    """An image at work."""

    def __init__(
        self,
        builder: Builder,
        name: str,
        process: subprocess.Popen[bytes],
        log: Path,
        env: Mapping[str, str],
        ports: Mapping[str, str],
    ) -> None:
        self.builder = builder
        self.name = name
        self.process = process
        self.log = log
        self.env = dict(env)
        self.ports = dict(ports)

    def healthy(self, seconds: float = 240) -> None:
        """Ask as the container engine does, until the image says that it is well."""
        value = setting(self.name, "HEALTHCHECK")
        assert value is not None
        command = [
            self.builder._local(word, self.ports) for word in json.loads(value.split(" CMD ", 1)[1])
        ]
        end = time.monotonic() + seconds
        while True:
            done = subprocess.run(
                [*_as(OTHER), *command], env=self.env, capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                return
            told = f"{done.stdout}{done.stderr}\n{self.log.read_text(errors='replace')}"
            assert self.process.poll() is None, told
            assert time.monotonic() < end, told
            time.sleep(0.1)

    def stop(self) -> int:
        """End it as the container engine does."""
        stopsignal = setting(self.name, "STOPSIGNAL") or "SIGTERM"
        if self.process.poll() is None:
            self.process.send_signal(signal.Signals[stopsignal])
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def free_port() -> int:
    """Return a port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as(user: int) -> list[str]:
    """Return what goes before a command to run it as another user, without any privilege.

    Where the interpreter is in a home that others may not enter, the right to read all files stays.
    """
    if os.geteuid() != 0:
        return []
    kept = "" if _reachable(Path(sys.executable).resolve()) else ",+dac_read_search"
    return [
        "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs",
        f"--bounding-set=-all{kept}", f"--inh-caps=-all{kept}", f"--ambient-caps=-all{kept}",
    ]  # fmt: skip


def _reachable(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)


def _own(path: Path, user: int) -> None:
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", f"{user}:{user}", str(path)], check=True)


def linked(root: Path) -> Builder:
    """Return a builder that links what is installed here; see ``images_pip``."""
    import sysconfig

    site = sysconfig.get_path("purelib")
    [misp] = (PROJECT / ".venv-misp" / "lib").glob("python*/site-packages")
    shim = root.parent / "shim"
    shim.mkdir(parents=True)
    pip = shim / "pip"
    pip.write_text(
        f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("images_pip.py")} "$@"\n'
    )
    pip.chmod(0o755)
    shim.chmod(0o755)
    shared = root.parent / "shared"
    shared.mkdir()
    _own(shared, NOBODY)
    return Builder(
        root,
        shim,
        {
            "IMAGES_SITE_PACKAGES": site,
            "IMAGES_MISP_SITE_PACKAGES": str(misp),
            "IMAGES_SHARED": str(shared / "ttpscribe"),
        },
    )
