"""What the page for admins says of the service is what the service does."""

from __future__ import annotations

import re

from engine.service.app import REFUSALS
from engine.service.reference import page
from engine.service.settings import ServiceSettings, load


def test_the_page_is_made_from_the_settings_and_the_metrics(project):
    path, content = page(project)
    assert path.read_text(encoding="utf-8") == content, "run: python -m engine.service.reference"


def test_the_page_names_every_path_and_code(project, running):
    import requests

    text = (project / "docs" / "service.md").read_text(encoding="utf-8")
    for path in requests.get(f"{running.url}/openapi.json", timeout=10).json()["paths"]:
        assert f"{path}`" in text, path
    sources = (project / "engine" / "service").glob("*.py")
    told = "\n".join(source.read_text(encoding="utf-8") for source in sources)
    codes = set(re.findall(r'Refusal\(\s*\d{3}, "([a-z_]+)"', told))
    codes |= {code for _, _, code in REFUSALS}
    assert len(codes) > 6
    for code in codes:
        assert f"`{code}`" in text, code


def test_settings_of_the_file_and_the_environment(tmp_path, monkeypatch):
    file = tmp_path / "config.yml"
    file.write_text("opencti:\n  url: x\nservice:\n  port: 9000\n  queue: 3\n  keys_file:\n")
    monkeypatch.setenv("TTPSCRIBE_SERVICE_QUEUE", "5")
    monkeypatch.setenv("TTPSCRIBE_SERVICE_ALLOWED_HOSTS", "engine, engine.example.org")
    settings = load(file, host="::1")
    assert (settings.port, settings.queue, settings.host) == (9000, 5, "::1")
    assert settings.allowed_hosts == ("engine", "engine.example.org")
    assert settings.is_loopback
    assert not ServiceSettings(host="engine.example.org").is_loopback
