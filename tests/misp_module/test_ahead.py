"""A backfill whose texts are analysed by workers before the events' turn."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from thread_workers import ThreadWorkers

from engine.scale import ahead
from misp_module.commands import misp as command

pytestmark = pytest.mark.usefixtures("instance_environment")


def test_a_backfill_sends_its_texts_ahead_and_writes_the_same(misp, monkeypatch):
    story = "The actor sent a spearphishing e-mail with an attachment (T1566.001)."
    events = [misp.event_with(f"C {n}", ("text", f"{story} Number {n}.")) for n in range(2)]
    workers = ThreadWorkers(1)
    monkeypatch.setattr(ahead, "workers_at", lambda *_: workers)
    arguments = ["backfill", "--since", "7d", "--ray", "127.0.0.1:6379"]
    done = CliRunner().invoke(command, arguments, standalone_mode=False)

    assert done.return_value == 0, done.output
    assert [f"Number {n}." in doc.text for n, (doc, _) in enumerate(workers.tasks)] == [True, True]
    assert all(event["Object"] for event in events)
