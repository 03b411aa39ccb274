"""Formats of label files, one module each; the first that matches a file reads it."""

from __future__ import annotations

from typing import cast

from training.labels.formats import jsonlines, rcatt_csv, stix, tram_export, tram_mjson
from training.labels.formats.base import Collector, Format, LabelFile, Labelled

_MODULES = (jsonlines, tram_mjson, tram_export, rcatt_csv, stix)
FORMATS: tuple[Format, ...] = tuple(cast("Format", module) for module in _MODULES)

__all__ = ["FORMATS", "Collector", "Format", "LabelFile", "Labelled"]
