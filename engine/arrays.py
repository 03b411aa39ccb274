"""Arrays on disk as safetensors: data only, the same arrays give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_arrays(arrays: Mapping[str, NDArray[np.generic]], path: Path) -> None:
    """Write arrays into a file.

    An error of the disk is an ``OSError``, as with every other file; safetensors' own writer
    raises its ``SafetensorError`` for it, as for a damaged file. It also writes a turned array's
    values in the order in which memory holds them; here each keeps its place.
    """
    from safetensors.numpy import save

    path.write_bytes(save({name: np.asarray(array, order="C") for name, array in arrays.items()}))
