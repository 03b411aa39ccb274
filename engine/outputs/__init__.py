"""What an analysis looks like to people and to other programs: one module an output.

>>> from engine.outputs import OUTPUTS
>>> sorted(OUTPUTS)
['csv', 'html', 'json', 'jsonl', 'navigator', 'stix', 'table', 'view']
"""

from engine.outputs.base import Context, Output, Threat
from engine.outputs.registry import OUTPUTS, get

__all__ = ["OUTPUTS", "Context", "Output", "Threat", "get"]
