"""The command as a process: what it does where its reader goes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TTPSCRIBE = Path(sys.executable).with_name("ttpscribe")


@pytest.mark.parametrize("arguments", [["--help"], ["knowledge", "show", *["T1059"] * 2000]])
def test_a_reader_that_stops_early_is_no_error(arguments):
    """As with ``ttpscribe ... | head -1``, both with little output and with much."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [TTPSCRIBE, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writer)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_an_output_without_room_says_so(disk):
    disk.fill()
    with (disk.root / "output").open("wb") as full:
        done = subprocess.run(
            [TTPSCRIBE, "knowledge", "show", "T1059"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "Error: The disk is full. Make room, and call again.\n"


def test_a_wrong_word_is_a_wrong_call():
    done = subprocess.run([TTPSCRIBE, "analise"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No such command" in done.stderr
