"""Factors for users of reinforcement learning and simulation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from engine.arrays import write_arrays
from engine.recommenders import Matrix, Recommender


def has_factors(model: Recommender) -> bool:
    """Tell whether a fitted model has item and user factors."""
    return hasattr(model, "item_factors_") and hasattr(model, "user_factors_")


def export_embeddings(model: Recommender, matrix: Matrix, directory: Path) -> Path:
    """Write the factors of a factor model that was just fitted.

    ``<directory>/<name>/`` gets ``item_factors.npy`` (n_techniques, factors), ``user_factors.npy``
    (n_rows, factors), ``item_bias.npy`` where the model has one, all of them again in
    ``embeddings.safetensors``, and the ids of techniques and rows, in order, in ``ids.json``.

    Returns
    -------
    Path
        The folder written.
    """
    arrays = {
        name: np.ascontiguousarray(getattr(model, f"{name}_"), dtype=np.float32)
        for name in ("item_factors", "user_factors", "item_bias")
        if hasattr(model, f"{name}_")
    }
    target = directory / model.name
    target.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(target / f"{name}.npy", array, allow_pickle=False)
    write_arrays(arrays, target / "embeddings.safetensors")
    ids = {"techniques": list(model.techniques_), "rows": [row.id for row in matrix.rows]}
    text = json.dumps(ids, indent=0, ensure_ascii=False) + "\n"
    (target / "ids.json").write_text(text, encoding="utf-8")
    return target
