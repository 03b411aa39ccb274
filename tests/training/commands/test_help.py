"""What ``ttpscribe train --help`` costs."""

import subprocess
import sys


def test_listing_the_commands_loads_no_torch():
    code = """
import sys
from training.commands import train
assert all(train.get_command(None, name) for name in train.list_commands(None))
print("torch" in sys.modules, "optuna" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
