"""Techniques by what adversaries type, call and touch: commands, functions, places."""

from engine.recognizers.commands.recognizer import CommandRecognizer

__all__ = ["CommandRecognizer"]
