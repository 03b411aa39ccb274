import sys
from pathlib import Path

import pytest

from engine.knowledge import Knowledge
from engine.outputs import Context

sys.path.insert(0, str(Path(__file__).parent))  # samples.py, for the tests of all outputs


@pytest.fixture(scope="session")
def context() -> Context:
    return Context(Knowledge.load())
