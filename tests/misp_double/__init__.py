"""A double of MISP 2.5 for tests: real PyMISP, the real modules server, no MISP.

::

    with MispDouble() as misp:                     # listens on misp.url; keys in misp.keys
        event = misp.add_event("A campaign")
        attribute = misp.add_attribute(event, "text", "The actor ...")
        answer = ...                               # of the modules server
        saved = misp.save_module_results(event, answer, attribute)
        misp.analyst.remove_tag(event, "misp-galaxy:...")

``misp.events`` holds everything as MISP's API writes it; ``misp.requests`` every request. Calls and
parameters that the double does not know are answered with an error and listed in ``misp.unknown``,
which a test must find empty. ``misp.pass_time(60)`` moves MISP's clock on. What
MISP drops silently is dropped here, and told in ``saved.dropped``: unknown tags (unless the user
may create tags), ``Galaxy`` entries, tags and reports of an answer without an object, elements
whose uuid is known. Numbers are strings, as MISP writes them.
"""

from .double import MispDouble
from .results import Saved

__all__ = ["MispDouble", "Saved"]
