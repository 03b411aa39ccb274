"""Formats of label files, one module each; the first that matches a file reads it."""

from __future__ import annotations

from typing import cast

from training.labels.formats import jsonlines
from training.labels.formats.base import Collector, Format, LabelFile, Labelled

FORMATS: tuple[Format, ...] = tuple(cast("Format", module) for module in (jsonlines,))

__all__ = ["FORMATS", "Collector", "Format", "LabelFile", "Labelled"]
