"""What every test needs: nothing of this machine's user, nothing of the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from full_disk import Disk, small_disk
from image_fixture import image

__all__ = ["image"]

if TYPE_CHECKING:
    from engine import Engine


@pytest.fixture(autouse=True, scope="session")
def _own_surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests from the releases and the knowledge that the user of this machine has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TTPSCRIBE_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        patch.delenv("TTPSCRIBE_RELEASE", raising=False)
        patch.setenv("HF_HUB_OFFLINE", "1")
        # Small fits are done sooner than handed to another process, and both cores have tests.
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        yield


@pytest.fixture(scope="session")
def engine(_own_surroundings: None) -> Engine:
    """The shipped release, opened once for all tests in this process: nothing changes it."""
    from engine import Engine

    return Engine.open()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A small disk of the test's own, to be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder) as mounted:
        yield mounted


@pytest.fixture(scope="session")
def shipped_name() -> str:
    """The name of the release that ships."""
    from engine.releases.store import SHIPPED

    [name] = [path.parent.name for path in SHIPPED.glob("*/manifest.json")]
    return name


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root directory."""
    return Path(__file__).resolve().parent.parent
