"""Progress of long work: named steps, each with a bar on a terminal and silent elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress

Advance = Callable[[int], None]


class Steps(Protocol):
    """Is told which step begins and how far it is."""

    def step(self, title: str, total: int) -> AbstractContextManager[Advance]:
        """Begin a step of ``total`` parts; call what it yields with the parts just done."""
        ...


class _NoSteps:
    def step(self, title: str, total: int) -> AbstractContextManager[Advance]:
        del title, total
        return nullcontext(lambda _: None)


NO_STEPS: Steps = _NoSteps()


class RichSteps:
    """Steps as bars of a `rich.progress.Progress`."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Advance]:
        """Show a bar while the step lasts."""
        task = self.progress.add_task(title, total=total)
        yield lambda parts: self.progress.advance(task, parts)
        self.progress.update(task, completed=total)
