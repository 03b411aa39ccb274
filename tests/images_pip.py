"""A ``pip`` for tests of the images: links what is installed here instead of fetching it.

It knows the calls of the Dockerfile and no others. What a requirement leads to is read from the
metadata, so that a package which the image's extras do not bring is not there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement

HERE = Path(os.environ["IMAGES_SITE_PACKAGES"])
MISP = Path(os.environ["IMAGES_MISP_SITE_PACKAGES"])
SCRIPT = "#!{python}\nimport sys\nfrom {module} import {name}\nsys.exit({name}())\n"


def main(words: list[str]) -> None:
    if words[0] == "wheel":
        built = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation"]
        os.environ.pop("PIP_BUILD_CONSTRAINT", None)  # the backend is the one installed here
        subprocess.run([*built, *words[1:]], check=True)
        return
    assert words[0] == "--python", words
    assert words[2] == "install", words
    python, wanted = Path(words[1]), words[3:]
    [target] = (python.parent.parent / "lib").glob("python*/site-packages")
    if wanted[0] == "--requirement":
        pins = Path(wanted[1]).read_text(encoding="utf-8")
        assert f"\n{wanted[2]}==" in pins, "the pins name what is installed"
        link(closure([wanted[2]], MISP), MISP, target, python)
        return
    [asked] = wanted
    match = re.fullmatch(r"(.*\.whl)\[([\w,]+)\]", asked)
    assert match, asked
    wheel, extras = match.groups()
    shared = Path(os.environ["IMAGES_SHARED"])
    if not shared.exists():  # the same wheel for every image: taken apart once
        own = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        partial = shared.with_name("partial")
        # Byte code is left out to save time: an image has it.
        call = [*own, "--no-deps", "--no-index", "--no-compile", "--target", str(partial), wheel]
        subprocess.run(call, check=True)
        partial.rename(shared)
    ours = {
        distribution.metadata["Name"]: distribution
        for distribution in distributions(path=[str(shared)])
    }
    assert list(ours) == ["ttpscribe"]
    link(ours, shared, target, python)
    found = closure([f"ttpscribe[{extras}]"], HERE)
    found.pop("ttpscribe")
    link(found, HERE, target, python)


def closure(wanted: Iterable[str], site: Path) -> dict[str, Distribution]:
    """Return all distributions that requirements lead to, by normalised name."""
    here = {normal(d.metadata["Name"]): d for d in distributions(path=[str(site)])}
    found: dict[str, Distribution] = {}
    pending = [Requirement(each) for each in wanted]
    seen: set[tuple[str, frozenset[str]]] = set()
    while pending:
        requirement = pending.pop()
        name = normal(requirement.name)
        key = (name, frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        found[name] = here[name]
        for line in here[name].requires or ():
            further = Requirement(line)
            holds = further.marker is None or any(
                further.marker.evaluate({"extra": extra}) for extra in (*requirement.extras, "")
            )
            if holds:
                pending.append(further)
    return found


def link(found: dict[str, Distribution], site: Path, target: Path, python: Path) -> None:
    for distribution in found.values():
        tops = {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}
        for top in tops - {"__pycache__"}:
            if not (target / top).exists():
                (target / top).symlink_to(site / top)
        for point in distribution.entry_points:
            if point.group == "console_scripts":
                script = python.parent / point.name
                script.write_text(
                    SCRIPT.format(python=python, module=point.module, name=point.attr)
                )
                script.chmod(0o755)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main(sys.argv[1:])
