"""Recognizers: text to techniques, one file each."""

from engine.recognizers.base import Recognizer

__all__ = ["Recognizer"]
