"""Arrays on disk: as safetensors writes them, and an error of the disk is one."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from engine.arrays import write_arrays

ARRAYS = {
    "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "half": np.ones(3, dtype=np.float16),
}


def test_they_are_read_as_written(tmp_path):
    write_arrays(ARRAYS, tmp_path / "a")
    assert all((load_file(tmp_path / "a")[name] == ARRAYS[name]).all() for name in ARRAYS)
    save_file({"half": ARRAYS["half"]}, tmp_path / "b")
    write_arrays({"half": ARRAYS["half"]}, tmp_path / "c")
    assert (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_a_full_disk_is_an_error_of_the_disk(disk):
    disk.fill()
    with pytest.raises(OSError, match="No space left"):
        write_arrays({"large": np.zeros(100_000)}, disk.root / "a")
