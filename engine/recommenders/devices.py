"""Where a model is fitted: CPU or GPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Literal, ParamSpec

from engine.errors import UsageError

if TYPE_CHECKING:
    import torch

Device = Literal["auto", "cpu", "cuda"]
P = ParamSpec("P")


def repeatable(fit: Callable[P, None]) -> Callable[P, None]:
    """Make a fit with torch give the same numbers each time.

    Threads add gradients in whatever order they come, and how many the mathematical library
    starts depends on the load; so one thread, and torch's deterministic algorithms.
    """

    @wraps(fit)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        import torch

        threads = torch.get_num_threads()
        strict = torch.are_deterministic_algorithms_enabled()
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            fit(*args, **kwargs)
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict)

    return wrapped


def torch_device(device: Device) -> torch.device:
    """Return the device for torch; ``auto`` is a GPU where there is one.

    Raises
    ------
    UsageError
        If a GPU is asked for and there is none.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("No GPU is usable here. Set device to 'auto' or 'cpu'.")
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def implicit_on_gpu(device: Device) -> bool:
    """Say whether the library implicit shall fit on a GPU.

    Raises
    ------
    UsageError
        If a GPU is asked for and implicit has none.
    """
    import implicit.gpu

    usable = bool(implicit.gpu.HAS_CUDA)
    if device == "cuda" and not usable:
        raise UsageError("The library implicit finds no GPU here. Set device to 'auto' or 'cpu'.")
    return usable and device != "cpu"
