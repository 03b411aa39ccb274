"""Settings as MISP sends them: strings, nulls, PHP's empty lists."""

from __future__ import annotations

import pytest

from engine.errors import UsageError
from misp_module.settings import Options, Settings


@pytest.mark.parametrize("config", [None, {}, [], {"inferences": None, "tag_event": ""}])
def test_nothing_set_is_the_default(config):
    assert Options.parse(config) == Options()
    assert Options.parse(config, "precise").operating_point == "precise"


@pytest.mark.parametrize(
    ("given", "expected"),
    [("1", True), ("0", False), ("true", True), ("False ", False), ("On", True), (1, True),
     (False, False), ("no", False)],
)  # fmt: skip
def test_switches(given, expected):
    assert Options.parse({"tag_event": given}).tag_event is expected


@pytest.mark.parametrize(
    "config",
    [{"tag_event": "perhaps"}, {"operating_point": "best"}, {"operating_point": 3},
     {"inferences": ["1"]}, "text", 7],
)  # fmt: skip
def test_wrong_values_are_told(config):
    with pytest.raises(UsageError, match="setting"):
        Options.parse(config)


def test_the_operating_point_is_read_as_people_write_it():
    assert Options.parse({"operating_point": " Precise "}).operating_point == "precise"


def test_networks_are_a_list_with_commas(monkeypatch):
    monkeypatch.setenv("TTPSCRIBE_MISP_FETCH_NETWORKS", "10.20.0.0/16, fd00::/8")
    assert [str(network) for network in Settings().fetch_networks] == ["10.20.0.0/16", "fd00::/8"]


def test_a_key_file_that_is_missing_is_told(tmp_path):
    with pytest.raises(UsageError, match="KEY_FILE"):
        Settings(key_file=tmp_path / "none").secret()


def test_the_key_is_never_shown():
    assert "verysecret" not in repr(Settings(key="verysecret"))
