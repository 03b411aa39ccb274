"""A double of OpenCTI 7.260817.0 for tests: real pycti, real RabbitMQ, no OpenCTI.

Use
---
Fixtures (``tests/connector/conftest.py``): ``rabbitmq`` (one real node a session), ``platform``
(an ``OpenCTIDouble`` with TLP markings and nothing else), ``worker`` (imports what connectors
push), ``story`` (a report with its objects), ``probe`` (the smallest real connector) and
``imported`` (recordings of a real platform, replayed)::

    def test_technique_is_written(platform, worker):
        lsass = platform.create_attack_pattern("T1003.001", "LSASS Memory")
        spider = platform.create("Intrusion-Set", name="Example Spider", aliases=["ES"])
        report = platform.create_report(
            "A story", description="...", content="<p>...</p>", confidence=75,
            markings=["TLP:GREEN"], files=[("story.pdf", data, "application/pdf")],
            objects=[spider],
        )
        # start the connector with OPENCTI_URL=platform.url, OPENCTI_TOKEN=platform.token
        work_id = platform.ask_enrichment(report, connector_id)
        work = platform.wait_for_work(work_id)     # .status .messages .errors .tracking
        worker.drain()                             # or `with worker:` / worker.start()
        assert platform.state(report)["techniques"] == ["T1003.001"]

``platform.state(report)`` has id, standard_id, name, description, content, confidence,
modified, updated_at, markings, labels, techniques, objects, notes and files (name to bytes);
``platform.relationships(source)`` the relationships; ``platform.element(any_id)`` the stored
object; ``platform.calls`` every request that came in; ``platform.refusals`` what the schema
refused and ``platform.crashes`` what went wrong inside the double. The fixture fails a test
that leaves a crash, or a refusal it did not expect and take out.

``platform.analyst`` (and ``platform.admin``) edits as a person does: ``remove_ref``,
``add_ref``, ``delete_note``, ``delete_relationship``, ``delete``, ``rename``, ``set``,
``set_markings``, ``add_label``, ``upload``, ``delete_file``, ``ask_enrichment``.
``platform.create(type, ...)``, ``platform.relate(source, "uses", target, ...)`` and
``platform.users["connector"].max_confidence = 50`` prepare a case; ``ask_playbook`` and
``playbook_steps`` play a playbook; ``add_draft`` opens a draft.

What goes wrong: ``platform.fail(status=500, times=2, operation="Report")``,
``platform.fail(delay=3.0)``, ``platform.storage_down()``, ``platform.expire_token()``,
``platform.down()`` and ``platform.up()``, ``platform.faults.clear()``; ``rabbitmq.kill()``,
``rabbitmq.restart()``.

How it is built
---------------
``schema.graphql`` is the interface, checked by graphql-core: what it does not know fails, as on
the platform. ``kinds`` and ``model`` say what objects are, ``store`` keeps them, ``upsert`` holds
the rules that were observed on a real platform (confidence gate, add-only refs, duplicates),
``edits`` what an edit entails, ``queries`` and ``mutations`` map the interface onto them,
``works`` has connectors and queues, ``events`` history and stream, ``server`` the HTTP.
``replay`` and ``recorded_day`` compare with the recordings.

What it does not do
-------------------
Rules of a real platform that were not observed are guesses: a lower confidence fills empty
refs; the stricter marking of a type stays; a threat sent under an alias is renamed at equal
confidence; an id that is sent is only added to ``x_opencti_stix_ids`` where nothing else
changes; which values an ``orderBy`` may have. Not there: observables, sightings, indicators,
sharing with organizations, rights other than having a token and a highest confidence, markings
that a user may not see, merging, full-text search, merging of drafts, pending files, rules,
retention of queues. A draft is a copy of everything at the time of its opening.
"""

from .model import Element, User
from .platform import OpenCTIDouble
from .rabbitmq import INSTALL_HINT, RabbitMQ, find_server
from .server import Fault
from .worker import Worker
from .works import Work

__all__ = [
    "INSTALL_HINT",
    "Element",
    "Fault",
    "OpenCTIDouble",
    "RabbitMQ",
    "User",
    "Work",
    "Worker",
    "find_server",
]
