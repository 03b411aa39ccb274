from __future__ import annotations

from dataclasses import dataclass

import pytest

from engine import harvest
from engine.harvest import Harvest, Harvester, harvesters


class Quiet:
    platform = "quiet"
    closed = False

    def harvest(self, ledger, advance=print):
        return Harvest(platform=self.platform)

    def read(self, report):
        return None

    def mark(self, entries):
        return {}

    def close(self):
        self.closed = True


@dataclass
class Point:
    name: str
    made: Harvester | None

    def load(self):
        return lambda: self.made


def test_harvesters_are_found_by_entry_point_and_closed(monkeypatch):
    quiet = Quiet()
    points = [Point("quiet", quiet), Point("absent", None)]
    monkeypatch.setattr(harvest, "entry_points", lambda group: points)
    assert isinstance(quiet, Harvester)
    assert harvest.names() == ["absent", "quiet"]
    with harvesters() as found:
        assert found == (quiet,)
        assert not quiet.closed
    assert quiet.closed


def test_harvesters_are_closed_where_a_later_one_is_half_configured(monkeypatch):
    quiet = Quiet()

    class Half(Point):
        def load(self):
            raise ValueError("half configured")

    monkeypatch.setattr(harvest, "entry_points", lambda group: [Point("a", quiet), Half("b", None)])
    with pytest.raises(ValueError, match="half configured"), harvesters():
        pass
    assert quiet.closed
