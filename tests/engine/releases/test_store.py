from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from pathlib import Path

import pytest

from engine.errors import ReleaseError
from engine.releases import ReleaseStore
from engine.releases import store as store_module

# Children start afresh instead of inheriting the threads of this process.
SPAWN = multiprocessing.get_context("spawn")


def test_the_shipped_release_is_the_champion_until_another_is_chosen(store, make_release):
    assert store.champion_name() == "shipped-one"
    assert store.champion().name == "shipped-one"

    store.publish(make_release("second").path)

    assert store.champion_name() == "shipped-one"
    store.use("second")
    assert store.champion().name == "second"
    assert store.champion().path == store.root / "second"


def test_a_shipped_release_that_was_chosen_stays_when_another_ships(store, make_release):
    chosen = store.use("shipped-one").digest
    names = [entry.name for entry in store.list()]
    shutil.rmtree(store._shipped / "shipped-one")
    shutil.copytree(make_release("shipped-two").path, store._shipped / "shipped-two")

    assert names == ["shipped-one"], "listed once"
    assert store.champion().digest == chosen
    assert [(entry.name, entry.champion) for entry in store.list()] == [
        ("shipped-two", False),
        ("shipped-one", True),
    ]


def test_another_process_sees_the_new_champion_at_once(store, make_release):
    watcher = ReleaseStore(store.root, shipped=store._shipped)
    seen = [watcher.champion_name()]
    for name in ("a", "b"):
        store.publish(make_release(name).path)
        store.use(name)
        seen.append(watcher.champion_name())

    assert seen == ["shipped-one", "a", "b"]


def test_rollback_goes_back_step_by_step_and_keeps_the_history(store, make_release):
    for name in ("a", "b"):
        store.publish(make_release(name).path)
        store.use(name)

    assert store.rollback().name == "a"
    assert store.rollback().name == "shipped-one"
    with pytest.raises(ReleaseError, match="nothing to roll back to"):
        store.rollback()
    store.use("b")
    assert store.rollback().name == "shipped-one"

    turns = [(turn.action, turn.name) for turn in store.history()]
    assert turns == [
        ("use", "a"),
        ("use", "b"),
        ("rollback", "a"),
        ("rollback", "shipped-one"),
        ("use", "b"),
        ("rollback", "shipped-one"),
    ]


def test_using_the_champion_again_adds_no_turn(store, make_release):
    store.publish(make_release("a").path)
    store.use("a")
    store.use("a")

    assert len(store.history()) == 1
    assert store.rollback().name == "shipped-one"


def test_a_damaged_release_never_becomes_the_champion(store, make_release):
    store.publish(make_release("a").path)
    damaged = store.root / "a" / "fusion" / "fusion.json"
    damaged.chmod(0o644)
    damaged.write_text("[]")

    with pytest.raises(ReleaseError, match="does not match its hash"):
        store.use("a")
    assert store.champion_name() == "shipped-one"


def test_a_champion_that_is_gone_is_an_error_and_not_another_release(store, make_release):
    store.publish(make_release("a").path)
    store.use("a")
    shutil.rmtree(store.root / "a")

    with pytest.raises(ReleaseError, match=r"no release 'a'.*shipped-one"):
        store.champion()


def test_a_damaged_pointer_names_the_remedy(store, make_release):
    store.publish(make_release("a").path)
    store.use("a")
    (store.root / "champion.json").write_text('[{"action": "use"')

    with pytest.raises(ReleaseError, match="releases use NAME"):
        store.champion_name()
    assert [entry.champion for entry in store.list()] == [False, False]


def test_a_pinned_release_wins(store, make_release, monkeypatch):
    store.publish(make_release("a").path)
    monkeypatch.setenv("TTPSCRIBE_RELEASE", "a")
    assert store.champion().name == "a"

    loose = make_release("loose").path
    monkeypatch.setenv("TTPSCRIBE_RELEASE", str(loose))
    assert store.champion().path == loose

    monkeypatch.setenv("TTPSCRIBE_RELEASE", "absent")
    with pytest.raises(ReleaseError, match="no release 'absent'"):
        store.champion()


def test_no_release_at_all_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("TTPSCRIBE_RELEASE", raising=False)
    store = ReleaseStore(tmp_path / "store", shipped=tmp_path / "none")

    assert store.list() == ()
    with pytest.raises(ReleaseError, match="releases import"):
        store.champion()


def test_the_data_directory_can_be_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(tmp_path / "data"))

    assert ReleaseStore().root == tmp_path / "data" / "releases"


def test_the_list_tells_damage_and_goes_on(store, make_release):
    for name in ("a", "b"):
        store.publish(make_release(name).path)
    manifest = store.root / "a" / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_text("{")

    found = {entry.name: entry for entry in store.list()}

    assert list(found) == ["shipped-one", "a", "b"]
    assert found["a"].manifest is None
    assert "not JSON" in found["a"].problem
    assert found["b"].manifest.name == "b"
    assert found["shipped-one"].origin == "shipped"
    assert found["shipped-one"].champion


def test_published_files_are_read_only(store, make_release):
    release = store.publish(make_release("a").path)

    modes = {path.stat().st_mode & 0o222 for path in release.path.rglob("*") if path.is_file()}
    assert modes == {0}


def test_publishing_the_same_again_changes_nothing(store, make_release):
    source = make_release("a").path
    first = store.publish(source)
    before = first.path.stat().st_ino

    assert store.publish(source).digest == first.digest
    assert first.path.stat().st_ino == before
    shipped = store._shipped / "shipped-one"
    assert store.publish(shipped).path == shipped


@pytest.mark.parametrize("name", ["a", "shipped-one"])
def test_a_name_is_taken_for_ever(store, make_release, name):
    store.publish(make_release("a").path)
    other = make_release(name, weight=2.0, folder="other")

    with pytest.raises(ReleaseError, match=f"name {name} is taken"):
        store.publish(other.path)


def test_a_renamed_directory_is_not_taken_for_another_release(store, make_release):
    store.publish(make_release("a").path)
    (store.root / "a").rename(store.root / "b")

    with pytest.raises(ReleaseError, match="holds the release a"):
        store.open("b")


def test_a_full_disk_leaves_the_store_as_it_was(store, make_release, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module.shutil, "copyfile", full)

    with pytest.raises(ReleaseError, match="No space left"):
        store.publish(make_release("a").path)
    assert {path.name for path in store.root.iterdir()} == {".lock"}


def test_on_a_disk_that_fills_a_release_is_taken_in_and_used_or_not(disk, make_release, tmp_path):
    store = ReleaseStore(disk.root, shipped=tmp_path / "shipped")
    make_release("shipped-one", folder="shipped")
    made = make_release("a").path
    disk.fill()
    with pytest.raises(ReleaseError, match="The store is as it was before"):
        store.publish(made)
    assert [entry.name for entry in store.list()] == ["shipped-one"]
    disk.free()
    store.publish(made)
    disk.fill()
    with pytest.raises(ReleaseError, match=r"The champion is the one before.*releases use a"):
        store.use("a")
    assert store.champion_name() == "shipped-one"
    disk.free()
    store.use("a")
    disk.fill()
    with pytest.raises(ReleaseError, match=r"The champion is the one before.*releases rollback"):
        store.rollback()
    assert store.champion_name() == "a"
    disk.free()
    assert {path.name for path in disk.root.iterdir()} == {".lock", "a", "champion.json"}


def test_a_store_that_cannot_be_written_says_so(tmp_path, make_release):
    (tmp_path / "file").write_text("")
    store = ReleaseStore(tmp_path / "file" / "store", shipped=tmp_path / "none")

    with pytest.raises(ReleaseError, match="TTPSCRIBE_DATA_DIR"):
        store.publish(make_release("a").path)


def test_a_store_that_is_no_directory_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    store = ReleaseStore(tmp_path / "file", shipped=tmp_path / "none")

    with pytest.raises(ReleaseError, match="cannot be listed"):
        store.list()


def _publish_and_die(root: Path, source: Path) -> None:
    """Die as by a power cut once the first file has been copied."""
    copy = shutil.copyfile

    def copy_and_die(*args, **kwargs):
        copy(*args, **kwargs)
        os._exit(9)

    store_module.shutil.copyfile = copy_and_die
    ReleaseStore(root, shipped=root / "none").publish(source)


def test_an_interrupted_publish_leaves_nothing_that_counts(store, make_release):
    source = make_release("a").path
    process = SPAWN.Process(target=_publish_and_die, args=(store.root, source))
    process.start()
    process.join(60)

    assert process.exitcode == 9
    assert list(store.root.glob(".incoming-*")), "the test must have interrupted a copy"
    assert [entry.name for entry in store.list()] == ["shipped-one"]
    assert store.publish(source).name == "a"
    assert not list(store.root.glob(".incoming-*"))


def _publish(root: Path, source: Path, barrier, outcomes) -> None:
    store = ReleaseStore(root, shipped=root / "none")
    barrier.wait(60)
    try:
        outcomes.put(store.publish(source).digest)
    except ReleaseError as error:
        outcomes.put(str(error))


def test_of_publishers_at_the_same_time_one_wins(store, make_release):
    one = make_release("a", folder="one")
    other = make_release("a", weight=2.0, folder="two")
    sources = [one, one, other, other]
    barrier, outcomes = SPAWN.Barrier(len(sources)), SPAWN.Queue()
    processes = [
        SPAWN.Process(target=_publish, args=(store.root, source.path, barrier, outcomes))
        for source in sources
    ]
    for process in processes:
        process.start()
    told = [outcomes.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(60)

    winner = store.open("a").digest
    assert winner in (one.digest, other.digest)
    assert sum(outcome == winner for outcome in told) == 2
    assert sum("is taken by another release" in outcome for outcome in told) == 2


def test_the_pointer_is_plain_json(store, make_release):
    store.publish(make_release("a").path)
    store.use("a")

    turns = json.loads((store.root / "champion.json").read_text())
    assert [(turn["action"], turn["name"]) for turn in turns] == [("use", "a")]
