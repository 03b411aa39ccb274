"""The connector's port: what it counts, and whether it says that it is well."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from typing import Any

import pytest
from connector_rig import STORY, Rig, example
from opencti_double import OpenCTIDouble, Worker
from prometheus_client.parser import text_string_to_metric_families

from connector.errors import SettingsError
from connector.metrics import Metrics


def page(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def values(port: int) -> dict[tuple[str, ...], float]:
    _, text = page(port, "/metrics")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def until_counted(port: int, number: int) -> dict[tuple[str, ...], float]:
    """The work says how it ended a moment before the connector counts it."""
    end = time.monotonic() + 30
    while (found := values(port))["ttpscribe_connector_enrichment_seconds_count",] < number:
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def test_it_counts_what_is_done_and_why_it_fails(
    platform: OpenCTIDouble, rig: Rig, worker: Worker
) -> None:
    worker.start()
    rig.ttpscribe["metrics_port"] = 0
    connector = rig.serve()
    work = rig.enrich(example(platform, description=f"{STORY} Zyxwvut qwrtpl."))
    red = platform.create_report("Red", description="T1059", markings=["TLP:RED"])
    refused = rig.enrich(red)
    assert work.errors == []
    assert refused.errors

    watch: Any = connector.watch
    assert page(watch.port, "/health") == (200, "taking messages\n")
    found = until_counted(watch.port, 2)
    assert found["ttpscribe_connector_enrichments_total", "done"] == 1
    assert found["ttpscribe_connector_enrichments_total", "failed"] == 1
    assert found["ttpscribe_connector_failures_total", "OutOfScope"] == 1
    assert found["ttpscribe_connector_enrichment_seconds_count",] == 2
    assert found["ttpscribe_connector_findings_sum",] >= 4
    assert found["ttpscribe_connector_unknown_words_count",] == 1
    assert 0 < found["ttpscribe_connector_unknown_words_sum",] < 0.3
    assert found["ttpscribe_connector_taking",] == 1
    assert found["ttpscribe_connector_busy",] == 0
    assert "Example Spider" not in page(watch.port, "/metrics")[1]

    connector.stop(10)
    assert page(watch.port, "/health") == (503, "not taking\n")
    port = watch.port
    connector.close()
    with pytest.raises(OSError, match="refused"):
        page(port, "/health")


def test_a_port_that_is_taken_is_named() -> None:
    first = Metrics().serve("127.0.0.1", 0)
    try:
        with pytest.raises(SettingsError, match="choose another TTPSCRIBE_METRICS_PORT"):
            Metrics().serve("127.0.0.1", first.port)
        assert page(first.port, "/else")[0] == 404
    finally:
        first.close()
