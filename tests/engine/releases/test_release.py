from __future__ import annotations

import hashlib
import os
import shutil

import pytest

from engine.errors import ReleaseError
from engine.releases import Release, write_release

from .conftest import draft


def test_opening_gives_what_was_written(make_release):
    release = make_release("first")

    assert release.name == "first"
    assert release.directory("recognizers/svc") == release.path / "recognizers" / "svc"
    assert release.directory("fusion") == release.path / "fusion"
    assert release.directory("recognizers/encoder") is None
    assert release.directory("recognizers/sv") is None
    content = (release.path / "manifest.json").read_bytes()
    assert release.digest == hashlib.sha256(content).hexdigest()


def test_the_same_input_gives_the_same_bytes(make_release):
    one = make_release("first", folder="one")
    two = make_release("first", folder="two")

    assert one.digest == two.digest
    assert (one.path / "manifest.json").read_bytes() == (two.path / "manifest.json").read_bytes()


def test_a_changed_byte_is_found(make_release):
    release = make_release()
    model = release.path / "recognizers" / "svc" / "m.safetensors"
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)

    with pytest.raises(ReleaseError, match=r"m\.safetensors does not match its hash"):
        Release.open(release.path)


def test_a_missing_file_is_named(make_release):
    release = make_release()
    (release.path / "fusion" / "fusion.json").unlink()

    with pytest.raises(ReleaseError, match=r"fusion/fusion\.json is missing"):
        Release.open(release.path)


def test_an_extra_file_is_refused(make_release):
    release = make_release()
    (release.path / "recognizers" / "svc" / "extra.pkl").write_bytes(b"x")

    with pytest.raises(ReleaseError, match=r"extra\.pkl is not in its manifest"):
        Release.open(release.path)


def test_a_link_is_refused_even_to_the_same_content(make_release, tmp_path):
    release = make_release()
    listed = release.path / "fusion" / "fusion.json"
    outside = tmp_path / "outside.json"
    shutil.move(listed, outside)
    listed.symlink_to(outside)

    with pytest.raises(ReleaseError, match=r"fusion\.json is a link"):
        Release.open(release.path)


def test_a_linked_folder_is_refused(make_release, tmp_path):
    release = make_release()
    shutil.move(release.path / "fusion", tmp_path / "elsewhere")
    (release.path / "fusion").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ReleaseError, match="fusion is a link"):
        Release.open(release.path)


def test_an_unreadable_manifest_says_so(make_release):
    release = make_release()
    (release.path / "manifest.json").unlink()
    (release.path / "manifest.json").mkdir()

    with pytest.raises(ReleaseError, match="cannot be read"):
        Release.open(release.path)


@pytest.mark.parametrize("call", ["scandir", "file_digest"])
def test_a_part_that_cannot_be_read_says_so(make_release, monkeypatch, call):
    release = make_release()

    def refuse(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr({"scandir": os, "file_digest": hashlib}[call], call, refuse)

    with pytest.raises(ReleaseError, match="cannot be read"):
        Release.open(release.path)


def test_a_directory_that_is_no_release_says_so(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ReleaseError, match="is not a release"):
            Release.open(path)


def test_a_release_is_never_written_twice(make_release):
    release = make_release()

    with pytest.raises(ReleaseError, match="a release already"):
        write_release(release.path, draft("other"))


def test_only_data_files_become_a_release(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"x")

    with pytest.raises(ReleaseError, match=r"holds only \.json, \.onnx, \.safetensors"):
        write_release(tmp_path, draft("first"))
    assert not (tmp_path / "manifest.json").exists()
