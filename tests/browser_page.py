"""The service's page in a real browser, and what a reader does with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
REPORT = (
    "The actor sent a spearphishing attachment (T1566.001).\n\n"
    "The macro ran an encoded PowerShell command, which dumped the memory of LSASS.\n\n"
    "It then created a scheduled task that runs at logon.\n"
)
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions",
    "--disable-dev-shm-usage", "--window-size=1400,1000", "--lang=en",
)  # fmt: skip


class Page:
    """The page, and what a reader does with it."""

    def __init__(self, driver: Any, url: str, downloads: Path) -> None:
        self.driver = driver
        self.url = url
        self.downloads = downloads

    def open(self) -> Page:
        self.driver.get(self.url)
        self.wait(lambda: self["health"].get_attribute("data-state") == "ready")
        return self

    def __getitem__(self, name: str) -> Any:
        return self.driver.find_element(By.ID, name)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def seen(self, selector: str) -> list[str]:
        """Texts of what a reader can see."""
        script = (
            "return [...document.querySelectorAll(arguments[0])]"
            ".filter((node) => node.checkVisibility({contentVisibilityAuto: false}))"
            ".map((node) => node.textContent.trim())"
        )
        return list(self.driver.execute_script(script, selector))

    def wait(self, condition: Callable[[], Any], seconds: float = 90) -> Any:
        return WebDriverWait(self.driver, seconds, 0.05).until(lambda _: condition())

    def press(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        actions = webdriver.ActionChains(self.driver, duration=0)
        for key in keys:
            actions.send_keys(key)
        actions.perform()

    @property
    def focus(self) -> str:
        script = "const a = document.activeElement; return a.id || a.className || a.tagName"
        return str(self.driver.execute_script(script))

    def tab_to(self, name: str, most: int = 40) -> None:
        for _ in range(most):
            if self.focus == name:
                return
            self.press(Keys.TAB)
        raise AssertionError(f"{name} is not reached by Tab; the focus is on {self.focus}")

    def slide(self, percent: int) -> None:
        script = "const [n, v] = arguments; n.value = v; n.dispatchEvent(new Event('input'))"
        self.driver.execute_script(script, self["least"], str(percent))

    def drop(self, name: str, text: str, kind: str) -> None:
        """Let a file fall onto the page."""
        script = """
          const [name, text, type] = arguments, transfer = new DataTransfer();
          transfer.items.add(new File([text], name, { type }));
          for (const event of ["dragenter", "dragover", "drop"]) document.body.dispatchEvent(
            new DragEvent(event, { dataTransfer: transfer, bubbles: true, cancelable: true }));"""
        self.driver.execute_script(script, name, text, kind)

    def analysed(self) -> Page:
        self["analyse"].click()
        self.wait(lambda: self["result"].is_displayed() or self["error"].is_displayed())
        assert not self["error"].is_displayed(), self["error"].text
        return self

    def refused(self) -> tuple[str, str]:
        self.wait(lambda: self["error"].is_displayed())
        return self["error-title"].text, self["error-text"].text

    def device(self, width: int, height: int, *, dark: bool) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        calm = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, calm]})
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )


def start_browser(profile: Path) -> Any:
    """Start Chromium with a profile of its own; whoever starts it quits it."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
