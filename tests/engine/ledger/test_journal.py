from __future__ import annotations

import signal
import time
from collections import Counter
from datetime import timedelta
from itertools import chain

import pytest

from engine.ledger import LeaseLostError, Ledger

SHORT = timedelta(seconds=0.4)


@pytest.fixture
def journal(ledger):
    return ledger.journal("opencti", "connector-1")


def test_a_message_is_recorded_and_claimed_in_one(journal):
    claim = journal.take("m1", '{"a": 1}', work="work_1", report="r1")

    assert (claim.message, claim.body, claim.work, claim.report) == (
        "m1",
        '{"a": 1}',
        "work_1",
        "r1",
    )
    assert (claim.attempts, claim.exhausted, dict(claim.steps)) == (1, False, {})
    assert journal.take("m1", "again") is None  # Held.
    assert journal.claim() is None
    claim.done()
    assert journal.take("m1", "again") is None  # Done.
    assert journal.counts() == {"waiting": 0, "taken": 0, "done": 1, "failed": 0}


def test_messages_are_claimed_in_the_order_they_came(journal):
    assert [journal.put(name, name) for name in ("b", "a", "c", "a")] == [True, True, True, False]
    assert [journal.claim().body for _ in range(3)] == ["b", "a", "c"]
    assert journal.claim() is None


def test_queues_and_platforms_do_not_see_each_other(ledger, journal):
    journal.put("m1", "body")
    assert ledger.journal("opencti", "connector-2").claim() is None
    assert ledger.journal("misp", "connector-1").claim() is None
    assert ledger.journal("misp", "connector-1").put("m1", "body")


def test_the_body_and_what_the_steps_left_are_erased_at_the_end(ledger, journal, url):
    for end in ("done", "fail"):
        with journal.take(end, "secret body") as claim:
            claim.step("read", {"text": "secret text"})
            claim.fail("No text in it.") if end == "fail" else claim.done()

    done, failed = journal.entries()
    assert (done.state, done.error, done.steps) == ("done", None, ("read",))
    assert (failed.state, failed.error) == ("failed", "No text in it.")
    assert failed.finished >= failed.received
    from sqlalchemy import create_engine, text

    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT body FROM journal")).scalars().all()
        rows += connection.execute(text("SELECT result FROM steps")).scalars().all()
    engine.dispose()
    assert rows == [None] * 4


def test_a_block_that_ends_early_gives_the_message_back_with_its_steps(journal):
    with pytest.raises(ZeroDivisionError), journal.take("m1", "body") as claim:  # noqa: PT012
        claim.step("analysed", ["T1059", None])
        claim.step("analysed", "again")
        claim.step("sent")
        raise ZeroDivisionError

    resumed = journal.claim()
    assert dict(resumed.steps) == {"analysed": ["T1059", None], "sent": None}
    assert (resumed.body, resumed.attempts) == ("body", 2)


def test_a_message_that_never_ends_is_exhausted(ledger):
    journal = ledger.journal("opencti", "q", max_attempts=2)
    journal.put("m1", "body")
    seen = []
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), journal.claim() as claim:  # noqa: PT012
            seen.append(claim.exhausted)
            raise ZeroDivisionError
    assert seen == [False, False, True]


def test_an_orderly_stop_is_not_an_attempt(journal):
    with pytest.raises(KeyboardInterrupt), journal.take("m1", "body"):
        raise KeyboardInterrupt
    assert journal.claim().attempts == 1


def test_a_lease_that_ran_out_is_taken_over_and_the_first_holder_is_told(ledger):
    journal = ledger.journal("opencti", "q", lease=SHORT)
    slow = journal.take("m1", "body")
    slow.step("one")
    assert journal.claim() is None
    time.sleep(0.5)
    other = journal.claim()

    assert list(other.steps) == ["one"]
    for act in (lambda: slow.step("two"), slow.done, slow.renew, slow.give_back):
        with pytest.raises(LeaseLostError):
            act()
    other.step("two")
    other.done()
    assert journal.entries()[0].steps == ("one", "two")


def test_heartbeats_keep_the_lease_of_slow_work(ledger):
    journal = ledger.journal("opencti", "q", lease=SHORT)
    with journal.take("m1", "body") as claim:
        time.sleep(1.0)
        assert journal.claim() is None
        assert not claim.lost
        claim.done()


def test_a_step_and_what_it_records_are_one(ledger, journal):
    claim = journal.take("m1", "body")
    with pytest.raises(ZeroDivisionError), ledger.transaction():  # noqa: PT012
        ledger.set_cursor("opencti", "c", "1")
        claim.step("recorded")
        raise ZeroDivisionError
    assert ledger.cursor("opencti", "c") is None
    assert journal.entries()[0].steps == ()


WORKER = """
import sys
from engine.ledger import Ledger
with Ledger.open(sys.argv[1]) as ledger:
    journal = ledger.journal("opencti", "q")
    print("ready", flush=True)
    while claim := journal.claim():
        with claim:
            claim.step("worked")
            print(claim.message, flush=True)
            claim.done()
"""


def test_several_processes_share_a_queue_and_each_message_is_done_once(ledger, url, program):
    journal = ledger.journal("opencti", "q")
    with ledger.transaction():
        for number in range(40):
            journal.put(f"m{number}", "body")
    workers = [program(WORKER, url) for _ in range(3)]
    lines = [worker.communicate(timeout=60)[0].split()[1:] for worker in workers]

    assert Counter(chain.from_iterable(lines)) == {f"m{number}": 1 for number in range(40)}
    assert journal.counts()["done"] == 40
    assert all(worker.returncode == 0 for worker in workers)


HOLDER = """
import sys, time
from datetime import timedelta
from engine.ledger import Ledger
ledger = Ledger.open(sys.argv[1])
with ledger.journal("opencti", "q", lease=timedelta(seconds=1.5)).claim() as claim:
    claim.step("analysed", {"digest": "d"})
    print("holds", flush=True)
    time.sleep(60)
"""


def test_the_message_of_a_killed_process_is_resumed_once_after_its_lease(ledger, url, program):
    journal = ledger.journal("opencti", "q", lease=timedelta(seconds=1.5))
    journal.put("m1", "body", work="work_1")
    holder = program(HOLDER, url)
    assert holder.stdout.readline() == "holds\n"
    time.sleep(1.8)
    assert journal.claim() is None  # It lives: heartbeats from the other process.
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert journal.claim() is None  # Nobody knows yet.

    end = time.monotonic() + 10
    while (claim := journal.claim()) is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert (claim.work, claim.body, claim.attempts) == ("work_1", "body", 2)
    assert dict(claim.steps) == {"analysed": {"digest": "d"}}
    with Ledger.open(url) as third:
        assert third.journal("opencti", "q").claim() is None
    claim.done()
