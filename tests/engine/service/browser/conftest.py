"""One browser and one service for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_page import CHROMIUM, DRIVER, Page, start_browser
from service_rig import InThread

EXAMPLE = Path(__file__).resolve().parents[4] / "examples" / "copper-lantern.pdf"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InThread]:
    """A service with one place and no line, so that a test can fill it."""
    folder = tmp_path_factory.mktemp("page-service")
    with InThread(folder, threads=1, queue=0, max_request_mb=0.4) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("needs Chromium and its driver: apt-get install chromium chromium-driver")
    driver = start_browser(tmp_path_factory.mktemp("profile"))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def page(browser, service, tmp_path_factory) -> Page:
    downloads = tmp_path_factory.mktemp("downloads")
    where = {"behavior": "allow", "downloadPath": str(downloads)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    page = Page(browser, service.url, downloads)
    page.device(1400, 1000, dark=False)
    return page


@pytest.fixture(autouse=True)
def _nothing_forbidden(page) -> Iterator[None]:
    """Whatever a test does, no script fails and the policy blocks nothing of ours."""
    yield
    told = [entry["message"] for entry in page.driver.get_log("browser")]
    assert [line for line in told if "Failed to load resource" not in line] == []


@pytest.fixture(scope="module")
def annotated(page) -> Page:
    """The example report, chosen as a file and analysed."""
    page.open()
    page["file"].send_keys(str(EXAMPLE))
    page.wait(lambda: page["chosen"].is_displayed())
    return page.analysed()


@pytest.fixture
def fresh(annotated) -> Page:
    """The annotated example with nothing filtered."""
    annotated["reset"].click()
    return annotated
