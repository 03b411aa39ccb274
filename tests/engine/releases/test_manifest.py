from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from engine.errors import ReleaseError, UsageError
from engine.releases import Manifest, ManifestDraft, OperatingPoint, Release, write_release
from engine.releases.manifest import LOADERS, PROTOCOL, read_manifest
from engine.releases.store import SHIPPED

KEPT = Path(__file__).parent / "kept"


def edit(release: Release, **changes: object) -> Path:
    path = release.path / "manifest.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, **changes}))
    return release.path


@pytest.mark.parametrize("protocol", sorted(LOADERS))
def test_a_release_kept_from_each_protocol_still_opens(protocol):
    release = Release.open(KEPT / f"protocol-{protocol}")

    assert release.name == f"kept-{protocol}"
    assert release.manifest.protocol == protocol
    assert release.manifest.operating_point("balanced").write_threshold == 0.5
    assert release.directory("recognizers/svc") is not None


@pytest.mark.parametrize("protocol", sorted(LOADERS))
def test_a_kept_manifest_is_written_back_with_the_same_bytes(protocol):
    manifest, content = read_manifest(KEPT / f"protocol-{protocol}")

    assert manifest.to_json().encode() == content


def test_an_older_protocol_goes_through_its_loader(make_release, monkeypatch):
    path = edit(make_release(), protocol=0, attack_version=None, attack="17.0")

    def load_0(fields):
        renamed = {**fields, "attack_version": fields["attack"], "protocol": PROTOCOL}
        del renamed["attack"]
        return Manifest.model_validate(renamed)

    monkeypatch.setitem(LOADERS, 0, load_0)

    assert Release.open(path).manifest.attack_version == "17.0"


def test_a_newer_protocol_names_the_remedy(make_release):
    path = edit(make_release(), protocol=PROTOCOL + 1)

    with pytest.raises(ReleaseError, match=r"protocol 3.*reads up to 2.*Upgrade ttpscribe"):
        Release.open(path)


def test_only_a_release_with_an_adaptation_asks_for_a_ttpscribe_that_knows_them(
    make_release, monkeypatch
):
    plain, adapted = make_release("plain"), make_release("adapted", adapted=True)
    assert (plain.manifest.protocol, adapted.manifest.protocol) == (1, 2)
    assert read_manifest(SHIPPED / "2026-11-27")[0].protocol == 1

    monkeypatch.setattr("engine.releases.manifest.PROTOCOL", 1)  # as before there were any
    assert Release.open(plain.path).name == "plain"
    with pytest.raises(ReleaseError, match=r"adapted is of protocol 2.*Upgrade ttpscribe"):
        Release.open(adapted.path)


@pytest.mark.parametrize("name", ["fusion/corrections.json", "recognizers/all.json", "new/x.json"])
def test_a_part_that_nobody_reads_is_not_left_out_silently(make_release, name):
    release = make_release()
    (release.path / name).parent.mkdir(exist_ok=True)
    (release.path / name).write_text("{}")
    (release.path / "manifest.json").unlink()

    draft = ManifestDraft(**{each: getattr(release.manifest, each)
                             for each in ManifestDraft.model_fields})  # fmt: skip
    with pytest.raises(ReleaseError, match=rf"holds {name}, which .*Upgrade ttpscribe"):
        write_release(release.path, draft)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "not JSON"),
        ('{"protocol": 1, "name": "fi', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("\x00\xff", "not JSON"),
        ("[]", "no protocol number"),
        ('{"name": "first"}', "no protocol number"),
        ('{"protocol": true}', "no protocol number"),
        ('{"protocol": "1"}', "no protocol number"),
        ('{"protocol": -3}', "never was a protocol -3"),
        ('{"protocol": 1}', "Field required"),
    ],
)
def test_a_damaged_manifest_says_where(make_release, content, says):
    release = make_release()
    (release.path / "manifest.json").write_bytes(content.encode("latin-1"))

    with pytest.raises(ReleaseError, match=says) as caught:
        Release.open(release.path)
    assert "manifest.json" in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../up"},
        {"created": "2026-11-22T04:30:00"},  # no time zone
        {"techniques": ["T1059.001", "T1059"]},
        {"techniques": ["T1059", "T1059"]},
        {"techniques": ["T59"]},
        {"default_recommender": "wals"},
        {"unknown_field": 1},
        {"operating_points": {"balanced": {"write_threshold": 1.5}}},
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(make_release, changes):
    path = edit(make_release(), **changes)

    with pytest.raises(ReleaseError, match="damaged"):
        Release.open(path)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.json",
        "/etc/passwd.json",
        "recognizers/../../outside.json",
        "recognizers//m.json",
        "recognizers\\m.json",
        "./m.json",
        ".hidden.json",
        "model.pkl",
        "model.bin",
        "code.py",
        "manifest.json",
        "",
    ],
)
def test_a_manifest_lists_only_plain_names_of_data_files(make_release, name):
    path = edit(make_release(), files={name: {"sha256": "0" * 64, "bytes": 1}})

    with pytest.raises(ReleaseError, match="damaged"):
        Release.open(path)


def test_suggestions_start_below_findings():
    with pytest.raises(ValidationError, match="suggest_threshold"):
        OperatingPoint(
            write_threshold=0.3,
            suggest_threshold=0.4,
            sentence_threshold=0.3,
            expected_precision=0.5,
            expected_recall=0.5,
        )


def test_an_unknown_operating_point_lists_those_there(make_release):
    with pytest.raises(UsageError, match=r"no operating point 'exact'.*balanced"):
        make_release().manifest.operating_point("exact")


def test_the_manifest_says_its_sizes_and_utc(make_release):
    manifest = make_release().manifest

    assert set(manifest.sizes) == {"recognizers/svc", "fusion"}
    assert manifest.sizes["fusion"] == 2
    assert sum(manifest.sizes.values()) == sum(file.bytes for file in manifest.files.values())
    assert json.loads(manifest.to_json())["created"] == "2026-11-22T04:30:00Z"
    assert isinstance(manifest.created, datetime)
