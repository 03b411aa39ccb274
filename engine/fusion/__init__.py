"""Fusion: the scores of all recognizers become one calibrated probability a technique.

`alignment` brings the recognizers' scores onto one label space, `features` describes each
sentence and each document by them, `model` turns that into probabilities, and `findings` into
findings, suggestions, tactics and sentences at an operating point.
"""

from engine.fusion.findings import Selection, select
from engine.fusion.model import Fusion, Scores

__all__ = ["Fusion", "Scores", "Selection", "select"]
