"""``ttpscribe doctor``: whether every part of a deployment is well, and what to do where not.

Each package tells of its own parts: it names a function in the entry-point group
``ttpscribe.checks`` that yields a `Line` for each thing it looked at. So the engine imports no
platform, and a package of one's own joins in without a change here.
"""

from engine.doctor.line import Line, State
from engine.doctor.looking import GROUP, look, parts

__all__ = ["GROUP", "Line", "State", "look", "parts"]
