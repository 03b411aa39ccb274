"""Finds the checks of all packages and runs them, each guarded from the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points

from engine.doctor.line import Line
from engine.errors import TtpscribeError, UsageError

GROUP = "ttpscribe.checks"
Check = Callable[[], Iterable[Line]]
# What others build on comes first; parts that are not listed follow by name.
_ORDER = ("machine", "secrets", "knowledge", "champion", "ledger")


def parts() -> list[EntryPoint]:
    """Return the checks of all installed packages, in the order in which they are run."""
    rank = {name: number for number, name in enumerate(_ORDER)}
    return sorted(entry_points(group=GROUP), key=lambda p: (rank.get(p.name, len(rank)), p.name))


def look(only: Collection[str] = ()) -> Iterator[Line]:
    """Run the checks, and go on past what fails.

    Parameters
    ----------
    only : collection of str
        Names of the checks to run; all of them by default.

    Raises
    ------
    UsageError
        If there is no check of such a name.
    """
    known = parts()
    if unknown := sorted(set(only) - {part.name for part in known}):
        raise UsageError(
            f"There is nothing called '{unknown[0]}' to look at. "
            f"Choose from: {', '.join(part.name for part in known)}."
        )
    for part in known:
        if not only or part.name in only:
            yield from _guarded(part)


def _guarded(part: EntryPoint) -> Iterator[Line]:
    try:
        check: Check = part.load()
        yield from check()
    except ModuleNotFoundError as error:
        package = part.dist.name if part.dist else "ttpscribe"
        missing = (error.name or "").split(".")[0]
        yield Line(
            part.name,
            "unused",
            f"not installed here: it needs the package '{missing}'",
            f"If it should be, install the extra of {package} that brings it.",
        )
    except TtpscribeError as error:
        yield Line(part.name, "failed", str(error))
    except Exception as error:
        yield Line(
            part.name,
            "failed",
            f"the check itself stumbled over {type(error).__name__}: {error}",
            "Please report this, with the line above.",
        )
