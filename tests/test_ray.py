"""What runs on a Ray cluster gives what runs here, also where a worker is killed on the way.

One cluster for the module: it takes some seconds to start.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from socket import socket

import numpy as np
import pytest
from click.testing import CliRunner
from ray_cluster import ray_cluster, seats
from small_labels import small_label_set

from engine import __version__
from engine.commands.analyse import analyse
from engine.commands.backfill import backfill
from engine.errors import ReleaseError, UsageError
from engine.knowledge import Knowledge
from engine.releases import ReleaseStore
from engine.scale import Crew, ScaleError, workers_at
from engine.scale.analysing import Identity, Lines, Options
from training.recommenders import build_matrix, new_report_folds
from training.recommenders.sweep import sweep
from training.svc import SvcSettings
from training.svc.sweep import sweep_svc
from training.sweeps import TrialResult


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ray_cluster(processors=2) as address:
        yield address


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    said = "The actor ran an encoded PowerShell command on host{}. It dumped LSASS {} times. "
    path.write_text(
        "".join(
            json.dumps({"id": n, "text": "".join(said.format(n, m) for m in range(10))}) + "\n"
            for n in range(12)
        )
        + json.dumps({"id": "nothing", "text": " "})
        + "\n"
    )
    return path


def call(command: object, *arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(command, [str(a) for a in arguments], standalone_mode=False)  # type: ignore[arg-type]
    if result.exception is not None:
        raise result.exception
    assert result.return_value in (code, None)
    return result.stdout


class Killer(threading.Thread):
    """Kills a worker of the cluster while it has a task."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.killed: int | None = None
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.01):
            if busy := seats(busy=True):
                busy[0].kill()
                self.killed = busy[0].pid
                return


def test_a_backfill_is_the_same_there_though_a_worker_is_killed(
    address: str, lines: Path, tmp_path: Path
) -> None:
    here = call(analyse, "--input-format", "jsonl", lines, code=3)
    killer = Killer()
    killer.start()
    try:
        call(
            backfill, "--input-format", "jsonl", lines,
            *("--output", tmp_path / "out", "--ray", address), code=3,
        )  # fmt: skip
    finally:
        killer.over.set()
        killer.join()
    assert killer.killed is not None
    assert (tmp_path / "out" / "results.jsonl").read_text() == here
    assert len(here.splitlines()) == 12
    (failure,) = (tmp_path / "out" / "failures.jsonl").read_text().splitlines()
    assert json.loads(failure)["id"] == "nothing"


def test_a_release_that_the_workers_do_not_have_is_refused(address: str) -> None:
    right = ReleaseStore().champion()
    attack = hashlib.sha256(Knowledge.load().path.read_bytes()).hexdigest()
    wrong = Identity(__version__, right.name, "0" * 64, attack)
    crew = Crew(workers_at(address, 1), Lines(wrong, Options()))
    with crew, pytest.raises(ReleaseError, match=f"another release {right.name}"):
        crew.ready()


def test_a_sweep_of_a_recommender_is_the_same_there(address: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    ids = [technique.id for technique in Knowledge.load().techniques("enterprise")][:40]
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        "".join(
            json.dumps({"id": f"r{n}", "techniques": [t for t in ids if generator.random() < 0.3]})
            + "\n"
            for n in range(40)
        )
    )
    folds = tuple(new_report_folds(build_matrix([rows], Knowledge.load()), folds=2))
    tried = partial(sweep, "ease", folds, trials=10, seed=5)
    there = tried(directory=tmp_path / "there", workers=partial(workers_at, address))
    here = tried(directory=tmp_path / "here")
    assert [untimed(trial) for trial in there] == [untimed(trial) for trial in here]


def test_a_sweep_of_the_svc_is_the_same_there(address: str, tmp_path: Path) -> None:
    settings = SvcSettings(words=500, characters=500, min_count=3, min_examples=4)
    tried: Callable[..., object] = partial(
        sweep_svc, small_label_set(20), Knowledge.load(), settings, trials=3
    )
    there = tried(directory=tmp_path / "there", workers=partial(workers_at, address, 1))
    assert there == tried(directory=tmp_path / "here")


def untimed(trial: TrialResult) -> TrialResult:
    return replace(trial, figures=trial.figures | {"fit_seconds": 0.0})


@pytest.mark.parametrize("wrong", ["auto", "local", "ray://10.0.0.5:10001", "10.0.0.5"])
def test_no_cluster_is_used_that_nobody_named(wrong: str, lines: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names no Ray cluster"):
        call(backfill, lines, "--output", tmp_path / "out", "--ray", wrong)


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ScaleError, match=r"pip install 'ttpscribe\[ray\]'"):
        workers_at("127.0.0.1:6379")


def test_a_cluster_that_is_not_there_is_an_error() -> None:
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ScaleError, match="Nothing answers at"):
            workers_at(f"127.0.0.1:{taken.getsockname()[1]}")
