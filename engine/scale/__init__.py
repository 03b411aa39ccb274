"""Many documents, or many trials of a sweep, on several processes or machines.

From top to bottom: a ``Crew`` hands tasks to workers, a bounded number at a time, and a task whose
worker dies to another one. ``local`` has workers that are processes of this machine, ``cluster``
such that are actors of a Ray cluster. ``analysing`` is what a worker does with documents, after
it has checked that it would answer as this machine does. ``results`` keeps on disk what is done;
``ahead`` is an engine whose documents were sent ahead.
"""

from engine.scale.crew import Crew, ScaleError, Setup, Worker, WorkerLost, Workers
from engine.scale.local import LocalWorkers

__all__ = ["Crew", "LocalWorkers", "ScaleError", "Setup", "Worker", "WorkerLost", "Workers"]
