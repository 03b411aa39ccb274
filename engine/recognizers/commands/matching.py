"""Find the commands of `engine.recognizers.commands.table` in a sentence, in one pass."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from engine.recognizers.commands.table import COMMANDS, PROGRAMS

# A word of code: a program or a cmdlet; a full stop or hyphen only inside.
_WORD = re.compile(r"[A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)*")
_QUOTES = "\"'\u201d\u2019`"
_SWITCH = re.compile(rf"[{_QUOTES}]?\s+[-/+]{{1,2}}\w")
# A command ends where another begins. Arguments are not read further than this.
_END = re.compile(r"[&;\n]")
_ARGUMENTS = 300
# Longer sentences are tables or dumps that were not split; what stands first is enough.
_READ = 20_000


class Matcher:
    """Looks words up, and reads arguments only behind programs that need them."""

    def __init__(self) -> None:
        self._run: dict[str, list[str]] = defaultdict(list)
        for technique, programs in PROGRAMS.items():
            for program in programs:
                self._run[program].append(technique)
        self._arguments: dict[str, list[tuple[re.Pattern[str], str]]] = {}
        for names, rules in COMMANDS.items():
            compiled = [
                (re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE), technique)
                for pattern, technique in rules
            ]
            self._arguments |= dict.fromkeys(names.split("|"), compiled)

    def techniques(self) -> frozenset[str]:
        """Return the ids of all techniques that can be found."""
        by_arguments = {to for rules in self._arguments.values() for _, to in rules}
        return frozenset(by_arguments | {to for found in self._run.values() for to in found})

    def find(self, text: str) -> set[str]:
        """Return the ids of the techniques that the commands in a sentence show."""
        text = text[:_READ]
        found: set[str] = set()
        for word in _WORD.finditer(text):
            low = word.group().lower()
            for name in {low, low.removesuffix(".exe")}:
                if name in self._run and _is_run(text, word):
                    found.update(self._run[name])
                if name in self._arguments:
                    found.update(self._by_arguments(name, text, word.end()))
        return found

    def _by_arguments(self, program: str, text: str, start: int) -> Iterator[str]:
        # `"C:\Windows\System32\net.exe" user`: the closing quote is no argument.
        rest = text[start : start + _ARGUMENTS].lstrip(_QUOTES)
        end = _END.search(rest)
        rest = rest[: end.start()] if end else rest
        for pattern, technique in self._arguments[program]:
            if pattern.search(rest):
                yield technique


def _is_run(text: str, word: re.Match[str]) -> bool:
    """Tell a program that is run from one that is spoken of.

    A switch follows it, or it begins the line as one types it: "whoami", not "Rclone, too, ...".
    """
    if _SWITCH.match(text, word.end()):
        return True
    return word.group()[0].islower() and not _WORD.search(text, 0, word.start())
