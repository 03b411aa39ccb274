"""``ttpscribe knowledge`` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engine.commands.knowledge import knowledge
from engine.knowledge import Knowledge, store
from engine.knowledge import facts as facts_file


@pytest.fixture(autouse=True)
def data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(knowledge, [str(a) for a in arguments])


def pattern(id_: str, name: str, *, stix: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "attack-pattern",
        "id": f"attack-pattern--{stix}",
        "name": name,
        "external_references": [{"source_name": "mitre-attack", "external_id": id_}],
        "kill_chain_phases": [{"kill_chain_name": "mitre-attack", "phase_name": "execution"}],
        "x_mitre_platforms": ["Windows"],
        **more,
    }


def bundle(version: str | None = "19.0", *more: dict[str, Any]) -> dict[str, Any]:
    """An official-looking enterprise bundle: T1059.001 gone to a new T1777.001."""
    objects = [
        {
            "type": "x-mitre-tactic",
            "id": "x-mitre-tactic--1",
            "name": "Execution",
            "x_mitre_shortname": "execution",
            "external_references": [{"source_name": "mitre-attack", "external_id": "TA0002"}],
        },
        pattern("T1059", "Command and Scripting Interpreter", stix="a"),
        pattern("T1777", "Shells", stix="b"),
        pattern("T1777.001", "PowerShell", stix="c"),
        pattern("T1059.001", "PowerShell", stix="d", revoked=True),
        pattern("T1105", "Ingress Tool Transfer", stix="e", x_mitre_deprecated=True),
        {
            "type": "relationship",
            "relationship_type": "revoked-by",
            "source_ref": "attack-pattern--d",
            "target_ref": "attack-pattern--c",
        },
        *more,
    ]
    if version:
        objects.append({"type": "x-mitre-collection", "x_mitre_version": version})
    return {"type": "bundle", "id": "bundle--1", "objects": objects}


def save(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_show_says_what_became_of_an_id() -> None:
    result = run("show", "T1086", "t1059/001", "TA0002", "Process Hollowing", "T1064")
    assert result.exit_code == 0
    assert "T1086 PowerShell: revoked, now T1059.001" in result.output
    assert "T1059.001 Command and Scripting Interpreter: PowerShell: active" in result.output
    assert "TA0002 Execution: tactic" in result.output
    assert "T1055.012 Process Injection: Process Hollowing: active" in result.output
    assert "T1064 Scripting: deprecated" in result.output


def test_show_unknown_goes_on_and_fails_at_the_end() -> None:
    result = run("show", "T9999", "TA9999", "no such name", "T1105")
    assert "T1105 Ingress Tool Transfer: active" in result.output
    assert result.exit_code != 0
    assert "T9999, TA9999, no such name" in str(result.exception)


def test_info_says_release_counts_and_origin() -> None:
    result = run("info")
    assert result.exit_code == 0
    for word in ("ATT&CK 18.1, as shipped", "enterprise", "475", "mobile", "ics", "182 revoked"):
        assert word in result.output


def test_update_then_everything_resolves_to_the_new_ids(
    tmp_path: Path, data_directory: Path
) -> None:
    result = run("update", "--force", "--stix", save(tmp_path / "enterprise.json", bundle()))
    assert result.exit_code == 0, result.exception
    assert (data_directory / "knowledge/attack.json").is_file()
    known = Knowledge.load()
    assert known.version == "19.0"
    assert known.resolve("T1059.001").technique == known.technique("T1777.001")
    # A chain over both releases: revoked in an earlier one, and again in this one.
    assert known.resolve("T1086").chain == ("T1086", "T1059.001", "T1777.001")
    assert known.resolve("T1105").status == "deprecated"
    # An id that the bundle leaves out altogether stays known.
    assert known.resolve("T1003.001").status == "deprecated"
    # Domains that were not given stay as they were.
    assert len(known.techniques("mobile")) == 124
    assert known.technique("T0855").name == "Unauthorized Command Message"
    assert "updated by you" in run("info").output
    # And back.
    assert run("reset").exit_code == 0
    assert Knowledge.load().version == "18.1"
    assert "There was no update" in run("reset").output


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("not json", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ({"type": "report"}, "not a STIX bundle"),
        ({"type": "bundle", "objects": []}, "holds no ATT&CK techniques"),
        ({"type": "bundle", "objects": [{"type": "malware"}, 3]}, "holds no ATT&CK techniques"),
        (bundle("17.0"), "older than the 18.1"),
        (bundle("19.0"), "looks like an extract"),
        (bundle("nineteen"), "not a version"),
        (bundle(None), "--attack-version"),
        (
            bundle("19.0", pattern("T1888.001", "Orphan", stix="f")),
            "without its parent",
        ),
    ],
)
def test_update_refuses_bad_input_and_changes_nothing(
    tmp_path: Path, data_directory: Path, content: object, words: str
) -> None:
    result = run("update", "--stix", save(tmp_path / "bundle.json", content))
    assert result.exit_code != 0
    assert words in str(result.exception)
    assert not data_directory.exists()


def test_update_without_a_file_that_is_there(tmp_path: Path) -> None:
    assert "Cannot read" in str(run("update", "--stix", tmp_path / "none.json").exception)


def test_update_refuses_a_huge_file(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(600 * 2**20)
    assert "600 MiB" in str(run("update", "--stix", path).exception)


def test_update_refuses_two_bundles_of_one_domain(tmp_path: Path) -> None:
    path = save(tmp_path / "bundle.json", bundle())
    result = run("update", "--force", "--stix", path, path)
    assert "Two of the bundles" in str(result.exception)


def test_attack_version_for_bundles_that_do_not_say_it(tmp_path: Path) -> None:
    path = save(tmp_path / "bundle.json", bundle(None))
    result = run("update", "--force", "--attack-version", "20.1", "--stix", path)
    assert result.exit_code == 0
    assert Knowledge.load().version == "20.1"


def test_damaged_update_is_named_and_reset_mends_it(data_directory: Path) -> None:
    save_to = data_directory / "knowledge/attack.json"
    save_to.parent.mkdir(parents=True)
    save_to.write_text("{")
    assert "ttpscribe knowledge reset" in str(run("show", "T1059").exception)
    assert run("reset").exit_code == 0
    assert run("show", "T1059").exit_code == 0


def test_failed_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts_file.os, "fsync", lambda _: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        facts_file.write(facts_file.read(store.SHIPPED), tmp_path / "attack.json")
    assert list(tmp_path.iterdir()) == []
