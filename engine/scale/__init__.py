"""Many documents, or many trials of a sweep, on several processes or machines.

From top to bottom: a ``Crew`` hands tasks to workers, a bounded number at a time, and a task whose
worker dies to another one. ``local`` has workers that are processes of this machine, ``cluster``
such that are actors of a Ray cluster. ``analysing`` is what a worker does with documents, after
it has checked that it would answer as this machine does. ``results`` keeps on disk what is done;
``ahead`` is an engine whose documents were sent ahead.
"""

from __future__ import annotations

from engine.scale.crew import Crew, ScaleError, Setup, Worker, WorkerLost, Workers
from engine.scale.local import LocalWorkers

__all__ = [
    "Crew",
    "LocalWorkers",
    "ScaleError",
    "Setup",
    "Worker",
    "WorkerLost",
    "Workers",
    "workers_at",
]


def workers_at(address: str | None, size: int | None = None) -> Workers:
    """Return workers: on the Ray cluster of an address, or on this machine without one.

    Parameters
    ----------
    address : str or None
        HOST:PORT of the cluster's head.
    size : int, optional
        How many; one a processor, if left out.

    Raises
    ------
    UsageError
        If the address is none.
    ScaleError
        If Ray is not installed, or the cluster cannot be joined.
    """
    if address is None:
        return LocalWorkers(size)
    from engine.scale.cluster import RayWorkers

    return RayWorkers(address, size)
