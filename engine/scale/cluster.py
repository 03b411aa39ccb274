"""Workers on a Ray cluster that the admin names; the only place where Ray is used."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Callable
from typing import Any, Final

from engine import __version__
from engine.errors import UsageError
from engine.scale.crew import ScaleError, Setup, WorkerLost
from engine.scale.local import Seat

NAMESPACE: Final = "ttpscribe"
LOOK: Final = 1.0  # seconds between two looks whether a worker is still wanted
_ADDRESS = re.compile(r"[\w.\-]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")


def check_address(address: str) -> str:
    """Return the address, if it names one cluster.

    ``auto`` would take whatever cluster runs here, and text goes nowhere that nobody named.

    Raises
    ------
    UsageError
        If it is not HOST:PORT.
    """
    if not _ADDRESS.fullmatch(address):
        raise UsageError(
            f"'{address}' names no Ray cluster. Give HOST:PORT of its head, as 'ray start --head' "
            "printed it, and run this command on a machine of the cluster (one joins by "
            "'ray start --address HOST:PORT --num-cpus 0')."
        )
    return address


class RayWorkers:
    """Actors of a Ray cluster, one processor each.

    Parameters
    ----------
    address : str
        HOST:PORT of the cluster's head; this machine is part of the cluster.
    size : int, optional
        As many as the cluster has processors, if left out.

    Raises
    ------
    ScaleError
        If Ray is not installed, or the cluster cannot be joined.
    """

    def __init__(self, address: str, size: int | None = None) -> None:
        check_address(address)
        self._ray = _ray()
        _knock(address)
        try:
            self._ray.init(
                address=address,
                namespace=NAMESPACE,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
            )
        except (ConnectionError, RuntimeError, ValueError, OSError, TimeoutError) as error:
            raise ScaleError(
                f"The Ray cluster at {address} cannot be joined: {_first_line(error)} Check the "
                "address with 'ray status --address', that this machine is part of the cluster, "
                "and that both run the same version of Ray and Python."
            ) from error
        self.size = size or int(self._ray.cluster_resources().get("CPU", 0))
        if not self.size:
            self._ray.shutdown()
            raise ScaleError(f"The Ray cluster at {address} has no processor to work with.")
        # A lost actor is ours to replace: only we know which task it had.
        self._seat = self._ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(Seat)

    def start(self, setup: Setup, wanted: Callable[[], bool], /) -> RayWorker:
        """Start an actor; where no processor is free it waits for one."""
        if not wanted():
            raise WorkerLost("it is not needed any more")
        worker = RayWorker(self._ray, self._seat.remote())
        try:
            worker.prepare(setup, wanted)
        except BaseException:
            worker.close()
            raise
        return worker

    def close(self) -> None:
        """Leave the cluster; the actors end with it."""
        self._ray.shutdown()


class RayWorker:
    """One actor."""

    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray = ray
        self._actor = actor

    def prepare(self, setup: Setup, wanted: Callable[[], bool]) -> None:
        """Become able to do tasks."""
        ready = self._actor.prepare.remote(setup, __version__)
        while not self._ray.wait([ready], timeout=LOOK)[0]:
            if not wanted():
                raise WorkerLost("it is not needed any more")
        self._result(ready)

    def call(self, task: Any, /) -> Any:
        """Do a task."""
        return self._result(self._actor.call.remote(task))

    def close(self) -> None:
        """End the actor."""
        if self._ray.is_initialized():
            self._ray.kill(self._actor)

    def _result(self, reference: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayTaskError as error:
            raise error.cause from error
        except errors.RayError as error:
            raise WorkerLost(f"{type(error).__name__}: {_first_line(error)}") from error


def _ray() -> Any:
    # Nothing is reported to the makers of Ray.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
        import ray.exceptions
    except ModuleNotFoundError as error:
        raise ScaleError(
            f"--ray needs the package '{error.name}', which is not installed: "
            "pip install 'ttpscribe[ray]', on every machine of the cluster."
        ) from error
    return ray


def _knock(address: str) -> None:
    """Look whether anybody is there: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise ScaleError(
            f"Nothing answers at {address} ({error}). Is it the address that 'ray start --head' "
            "printed, and does the network let this machine through?"
        ) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300].rstrip(".") + "."
