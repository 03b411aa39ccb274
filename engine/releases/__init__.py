"""Releases: immutable sets of trained models, and which one is in use.

>>> from engine.releases import ReleaseStore
>>> ReleaseStore().champion().manifest.operating_points["balanced"]  # doctest: +SKIP
"""

from engine.releases.manifest import (
    Manifest,
    ManifestDraft,
    OperatingPoint,
    TrainingData,
    TrainingSource,
)
from engine.releases.release import Release, write_release
from engine.releases.store import ReleaseStore, open_default

__all__ = [
    "Manifest",
    "ManifestDraft",
    "OperatingPoint",
    "Release",
    "ReleaseStore",
    "TrainingData",
    "TrainingSource",
    "open_default",
    "write_release",
]
