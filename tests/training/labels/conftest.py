import pytest

from engine.knowledge import Knowledge


@pytest.fixture(scope="session")
def knowledge():
    return Knowledge.load()
