"""What docs/security.md promises: every test that it names is there."""

from __future__ import annotations

import ast
import re
from functools import cache


def test_every_test_that_the_page_names_exists(project):
    text = (project / "docs" / "security.md").read_text(encoding="utf-8")

    @cache
    def functions(path: str) -> frozenset[str]:
        tree = ast.parse((project / path).read_text(encoding="utf-8"))
        return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))

    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 50
    assert [(path, name) for path, name in named if name not in functions(path)] == []
    assert text.count("::") == len(named), "none is written in a way that is not checked"


def test_every_threat_has_a_test_or_says_why_not(project):
    text = (project / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and line.count(" | ") >= 2]
    without = [
        row for row in rows if "::" not in row and not row.startswith(("| threat", "| where"))
    ]
    # The one that needs the network.
    assert [row.split(" | ")[0] for row in without] == ["| a known hole in a dependency"]


def test_every_make_target_that_the_page_names_exists(project):
    text = (project / "docs" / "security.md").read_text(encoding="utf-8")
    makefile = (project / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)`", text))

    assert {"audit", "licences", "sbom"} <= named
    assert named <= targets
