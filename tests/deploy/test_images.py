"""The images: what their file promises, and each of them built and started by its own steps."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from images import chain, environment, setting, stages

TARGETS = ("cli", "connector", "engine", "misp", "trainer")
TORCH = ("torch", "transformers", "onnx", "optuna", "implicit", "ray")


def test_the_linter_has_nothing_to_say(project):
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, project / "Dockerfile"], capture_output=True, text=True, check=False
    )

    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_every_base_is_pinned_by_digest(project):
    text = (project / "Dockerfile").read_text(encoding="utf-8")
    [base] = re.findall(r"^ARG PYTHON_IMAGE=(.*)$", text, re.MULTILINE)

    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)
    known = stages()
    assert {stage.base for stage in known.values()} - set(known) == {"${PYTHON_IMAGE}"}


@pytest.mark.parametrize("name", TARGETS)
def test_an_image_runs_without_root_pip_and_compiler(name):
    line = chain(name)
    installs = [value for stage in line for key, value in stage.steps if key == "RUN"]

    assert setting(name, "USER") == "10001:10001"
    assert [stage.name for stage in line] == ["runtime", name], "nothing of the builder is in it"
    assert len(installs) == 1
    assert "pip uninstall" in installs[0]
    assert not any("apt-get" in step or "pip install" in step for step in installs)
    assert not any(key == "ADD" for stage in line for key, _ in stage.steps)
    assert not re.search("KEY|TOKEN|PASSWORD|SECRET", " ".join(environment(name)))
    assert setting(name, "HEALTHCHECK") or name == "cli"


def test_every_install_is_held_to_the_constraints():
    for stage in stages().values():
        for key, value in stage.steps:
            if key == "RUN" and "install" in value and "pip --python" in value:
                assert environment(stage.name)["PIP_CONSTRAINT"] == "/src/constraints.txt"


def test_the_builder_is_sent_what_it_copies_and_no_secret(project):
    patterns = (project / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in patterns if line and not line.startswith("#")]
    copied = {
        word.removeprefix("./")
        for stage in stages().values()
        for key, value in stage.steps
        if key == "COPY" and not value.startswith("--from=")
        for word in value.split()[:-1]
    }

    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied


@pytest.mark.parametrize("name", TARGETS)
def test_an_image_holds_only_what_it_needs(image, name, shipped_name):
    built = image(name)
    python = built.python()
    code = f"""
import importlib.util, json
print(json.dumps([name for name in {TORCH!r} if importlib.util.find_spec(name)]))
"""
    done = built.run(name) if name == "cli" else None
    heavy = json.loads(subprocess.check_output([python, "-c", code], text=True))

    assert ("torch" in heavy) == (name == "trainer")
    assert name == "trainer" or heavy == []
    assert not list(python.parent.glob("pip*"))
    if done is not None:
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"champion    {shipped_name}" in done.stdout


def test_the_modules_server_starts_and_lists_our_modules(image):
    with image("misp").start("misp") as started:
        started.healthy()
        with urlopen(f"http://127.0.0.1:{started.ports['6666']}/modules", timeout=10) as answer:
            listed = {each["name"] for each in json.loads(answer.read())}

    assert {"ttpscribe_attack", "ttpscribe_import"} <= listed


def test_the_engine_starts_answers_and_drains(image, shipped_name):
    with image("engine").start("engine") as started:
        started.healthy()
        with urlopen(f"http://127.0.0.1:{started.ports['8321']}/ready", timeout=60) as answer:
            told = json.loads(answer.read())
        ended = started.stop()

    assert told["release"] == shipped_name
    assert ended in (0, -signal.SIGTERM)  # uvicorn drains, and then passes the signal on
    assert "shutdown complete" in started.log.read_text()


def test_the_trainer_waits_for_its_hour_and_says_that_it_is_well(image):
    with image("trainer").start("trainer") as started:
        started.healthy()
        assert started.process.poll() is None
        started.stop()

    assert "Traceback" not in started.log.read_text()
