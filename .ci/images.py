"""Build every image as its file says, with pip fetching everything, and start it until it is well.

Run by `make images-check`. There need be no container engine: see `tests/images.py`. It takes
minutes and gigabytes, so the tests do the same with what is installed.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "tests"))

from images import Builder, setting, stages  # noqa: E402


def main(names: list[str]) -> int:
    """Build and start the images of these names, or all."""
    names = names or ["cli", "engine", "connector", "misp", "trainer"]
    if unknown := set(names) - set(stages()):
        sys.exit(f"The Dockerfile has no target {', '.join(sorted(unknown))}.")
    # Of the machine's settings only where packages come from.
    extra = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    top = Path(tempfile.mkdtemp(prefix="ttpscribe-images-", dir=os.environ.get("TMPDIR")))
    top.chmod(0o755)
    failed = 0
    try:
        first = Builder(top / "builder", extra=extra)
        _timed("builder", lambda: first.build("builder"))
        for name in names:
            failed += not _check(first, top, name)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    return int(failed > 0)


def _check(first: Builder, top: Path, name: str) -> bool:
    try:
        built = first.fork(top / name)
        _timed(f"{name}: install", lambda: built.build(name))
        size = sum(
            file.lstat().st_size for file in (built.root / "opt").rglob("*") if file.is_file()
        )
        _say(f"{name}: {size / 1e6:.0f} MB in /opt")
        with ExitStack() as stack:
            variables = SURROUNDINGS[name](stack) if name in SURROUNDINGS else {}
            if setting(name, "HEALTHCHECK"):
                with built.start(name, **variables) as started:
                    _timed(f"{name}: start to health", lambda: started.healthy(900))
                    _timed(f"{name}: stop", started.stop)
            else:
                done = built.run(name, **variables)
                _say(done.stdout)
                if done.returncode:
                    raise AssertionError(done.stderr)
    except AssertionError as error:
        _say(f"{name}: FAILED\n{error}")
        return False
    finally:
        shutil.rmtree(top / name, ignore_errors=True)
    _say(f"{name}: well")
    return True


def _opencti(stack: ExitStack) -> dict[str, str]:
    from opencti_double import OpenCTIDouble, RabbitMQ

    node = RabbitMQ()
    node.start()
    stack.callback(node.stop)
    double: AbstractContextManager[OpenCTIDouble] = OpenCTIDouble(node)
    platform = stack.enter_context(double)
    return {"OPENCTI_URL": platform.url, "OPENCTI_TOKEN": platform.token}


SURROUNDINGS: dict[str, Callable[[ExitStack], dict[str, str]]] = {"connector": _opencti}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _timed(what: str, call: Callable[[], object]) -> None:
    begun = time.monotonic()
    call()
    _say(f"{what}: {time.monotonic() - begun:.1f} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
