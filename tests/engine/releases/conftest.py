"""Small releases to test with: real files, real hashes, no trained model in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from engine.releases import (
    ManifestDraft,
    OperatingPoint,
    Release,
    ReleaseStore,
    TrainingData,
    TrainingSource,
    write_release,
)

MakeRelease = Callable[..., Release]


def draft(name: str) -> ManifestDraft:
    return ManifestDraft(
        name=name,
        created=datetime(2026, 11, 22, 4, 30, tzinfo=UTC),
        attack_version="18.1",
        techniques=("T1059", "T1059.001"),
        recognizers={"svc": {"document_weight": 0.25}},
        operating_points={
            "balanced": OperatingPoint(
                write_threshold=0.5,
                suggest_threshold=0.2,
                sentence_threshold=0.4,
                expected_precision=0.7,
                expected_recall=0.75,
            )
        },
        training_data=TrainingData(
            hash="0" * 64,
            sources=(TrainingSource(name="ours", licence="Apache-2.0", records=3),),
        ),
        figures={"document_f1": 0.72},
    )


@pytest.fixture
def make_release(tmp_path: Path) -> MakeRelease:
    def make(
        name: str = "first", *, weight: float = 1.0, folder: str = "made", adapted: bool = False
    ) -> Release:
        directory = tmp_path / folder / name
        svc = directory / "recognizers" / "svc"
        svc.mkdir(parents=True)
        save_file({"weights": np.full((2, 3), weight, dtype=np.float32)}, svc / "m.safetensors")
        (svc / "vocabulary.json").write_text(json.dumps(["powershell"]))
        (directory / "fusion").mkdir()
        (directory / "fusion" / "fusion.json").write_text("{}")
        if adapted:
            arrays = {
                "weights": np.zeros((1, 3), dtype=np.float16),
                "bias": np.zeros(1, dtype=np.float32),
                "document_offset": np.zeros(1, dtype=np.float32),
            }
            save_file(arrays, directory / "fusion" / "adaptation.safetensors")
            fields = {"recognizer": "svc", "techniques": ["T1059"]}
            (directory / "fusion" / "adaptation.json").write_text(json.dumps(fields))
        return write_release(directory, draft(name))

    return make


@pytest.fixture
def store(tmp_path: Path, make_release: MakeRelease, monkeypatch) -> ReleaseStore:
    """An empty store beside one shipped release."""
    monkeypatch.delenv("TTPSCRIBE_RELEASE", raising=False)
    make_release("shipped-one", folder="shipped")
    return ReleaseStore(tmp_path / "store", shipped=tmp_path / "shipped")
