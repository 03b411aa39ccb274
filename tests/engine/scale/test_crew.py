"""A crew: bounded, loses nothing with a worker, and says what is wrong with all of them."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from thread_workers import ThreadWorkers
from threadpoolctl import threadpool_info

from engine.errors import DocumentError, ReleaseError
from engine.scale import Crew, LocalWorkers, ScaleError, WorkerLost


def doubling():
    return lambda task: 2 * task


def results(crew, tasks):
    return {task: future.result() for task, future in crew.each(tasks)}


def test_every_task_has_its_result():
    workers = ThreadWorkers(3)
    with Crew(workers, doubling) as crew:
        assert results(crew, range(50)) == {task: 2 * task for task in range(50)}
    assert workers.closed
    assert all(worker.closed for worker in workers.started)


def test_no_more_tasks_are_read_than_are_worked_on():
    read, go = [], threading.Event()

    def tasks():
        for task in range(30):
            read.append(task)
            yield task

    def slow():
        def work(task):
            go.wait(10)
            return task

        return work

    with Crew(ThreadWorkers(2), slow) as crew:
        done: list[int] = []
        reader = threading.Thread(target=lambda: done.extend(results(crew, tasks())))
        reader.start()
        crew.ready()
        reader.join(0.3)
        assert len(read) <= 2 + 2 + 1  # at work, waiting, and the one that has no place yet
        go.set()
        reader.join(10)
    assert sorted(done) == list(range(30))


def test_a_task_goes_on_to_another_worker():
    lost: list[int] = []

    def fragile():
        def work(task):
            if task in {3, 7} and lost.count(task) < 2:
                lost.append(task)
                raise WorkerLost("killed")
            return task

        return work

    workers = ThreadWorkers(2)
    with Crew(workers, fragile) as crew:
        assert sorted(results(crew, range(10))) == list(range(10))
    assert sorted(lost) == [3, 3, 7, 7]
    assert workers.starts >= 6


def test_a_task_that_kills_every_worker_is_given_up_and_the_others_done():
    def fragile():
        def work(task):
            if task == 1:
                raise WorkerLost("out of memory")
            return task

        return work

    with Crew(ThreadWorkers(2), fragile) as crew:
        futures = dict(crew.each(range(5)))
    assert {task for task, future in futures.items() if future.exception() is None} == {0, 2, 3, 4}
    with pytest.raises(WorkerLost, match=r"3 workers died of it.*out of memory"):
        futures[1].result()


def test_an_error_of_a_task_is_its_own():
    def reading():
        def work(task):
            if task == 1:
                raise DocumentError("empty")
            return task

        return work

    with Crew(ThreadWorkers(1), reading) as crew:
        futures = dict(crew.each(range(3)))
    assert isinstance(futures[1].exception(), DocumentError)
    assert futures[2].result() == 2


def test_a_setup_that_fails_ends_the_job():
    def setup():
        raise ReleaseError("another release")

    with Crew(ThreadWorkers(2), setup) as crew:
        with pytest.raises(ReleaseError, match="another release"):
            crew.ready()
        with pytest.raises(ReleaseError, match="another release"):
            list(crew.each(range(9)))


def test_workers_that_never_start_end_the_job():
    with (
        Crew(ThreadWorkers(2, fail=lambda _number: True), doubling) as crew,
        pytest.raises(ScaleError, match="No worker is left"),
    ):
        crew.ready()


def test_some_starts_may_fail():
    with Crew(ThreadWorkers(2, fail=lambda number: number in {1, 2}), doubling) as crew:
        assert results(crew, range(9)) == {task: 2 * task for task in range(9)}


def test_nobody_is_waited_for_without_end():
    class Full(ThreadWorkers):
        def start(self, setup, wanted, /):
            while wanted():
                pass
            raise WorkerLost("not needed")

    with (
        Crew(Full(1), doubling, patience=0.05) as crew,
        pytest.raises(ScaleError, match="No worker came up in time"),
    ):
        crew.ready()


def test_closing_ends_what_waits():
    begun, go = threading.Event(), threading.Event()

    def slow():
        def work(task):
            begun.set()
            go.wait(10)
            return task

        return work

    crew = Crew(ThreadWorkers(1), slow)
    first: Future[int] = crew.submit(1)
    second: Future[int] = crew.submit(2)
    begun.wait(10)
    threading.Timer(0.1, go.set).start()
    crew.close()
    assert first.result() == 1
    with pytest.raises(ScaleError, match="ended before"):
        second.result()


# --- processes of this machine


def suicidal(marks: Path):
    """Dies of task 2 once, of task 4 always; tells its number of threads for another."""

    def work(task):
        if task == 4:
            os._exit(9)
        if task == 2 and not (mark := marks / "died").exists():
            mark.touch()
            os._exit(9)
        if task == "threads":
            np.ones((2, 2)) @ np.ones((2, 2))
            return max((library["num_threads"] for library in threadpool_info()), default=1)
        if task == "error":
            raise DocumentError("empty")
        return task

    return work


def test_a_process_that_dies_loses_nothing(tmp_path):
    with Crew(LocalWorkers(1), partial(suicidal, tmp_path)) as crew:
        futures = dict(crew.each([1, 2, "threads", "error"]))
    assert (tmp_path / "died").exists()
    assert futures[1].result() == 1
    assert futures[2].result() == 2
    assert futures["threads"].result() == 1
    with pytest.raises(DocumentError, match="empty"):
        futures["error"].result()
