"""Techniques by the commands that a report prints."""

from engine.recognizers.commands.recognizer import CommandRecognizer

__all__ = ["CommandRecognizer"]
