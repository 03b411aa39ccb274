"""Settings: precedence, messages, and the files that are made from them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from connector.errors import SettingsError
from connector.reference import files, sample, schema, variables
from connector.settings import Settings

MINIMUM = {"OPENCTI_URL": "http://localhost:8080/", "OPENCTI_TOKEN": "secret-token"}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for _, _, variable, _ in variables():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("TTPSCRIBE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


def config(path: Path, **sections: object) -> Path:
    path = path / "config.yml"
    path.write_text(yaml.safe_dump(sections))
    return path


def test_environment_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in MINIMUM.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CONNECTOR_SCOPE", "report, Case-Incident")
    monkeypatch.setenv("CONNECTOR_AUTO", "true")
    monkeypatch.setenv("TTPSCRIBE_READ", "description,content")
    monkeypatch.setenv("TTPSCRIBE_MAX_TLP", "tlp:white")
    settings = Settings.load()
    assert settings.connector.scope == ("Report", "Case-Incident")
    assert settings.connector.auto is True
    assert settings.ttpscribe.read == ("description", "content")
    assert settings.ttpscribe.max_tlp == "TLP:CLEAR"
    given = settings.for_pycti()
    assert given["opencti"]["url"] == "http://localhost:8080"
    assert given["opencti"]["token"] == MINIMUM["OPENCTI_TOKEN"]
    assert given["connector"]["scope"] == "Report,Case-Incident"
    assert given["connector"]["type"] == "INTERNAL_ENRICHMENT"


def test_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = config(
        tmp_path,
        opencti={"url": "http://file:1", "token": "of the file"},
        connector={"name": "of the file", "scope": ["Report", "Grouping"]},
        ttpscribe={"threshold": 0.7},
        mq={"host": "queue"},
    )
    monkeypatch.setenv("CONNECTOR_NAME", "of the environment")
    settings = Settings.load(path)
    assert settings.connector.name == "of the environment"
    assert settings.connector.scope == ("Report", "Grouping")
    assert settings.opencti.token.get_secret_value() == "of the file"
    assert settings.ttpscribe.threshold == 0.7
    assert settings.for_pycti()["mq"] == {"host": "queue"}


def test_the_token_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in MINIMUM.items():
        monkeypatch.setenv(name, value)
    assert "secret-token" not in repr(Settings.load().opencti)


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({}, "OPENCTI_URL (opencti: url in config.yml): it is missing"),
        ({"opencti": {"url": "http://x", "token": "ChangeMe"}}, "OPENCTI_TOKEN"),
        ({"opencti": {"url": "nonsense", "token": "t"}}, "OPENCTI_URL"),
        ({"connector": {"scope": "Malware"}}, "choose from Report, Grouping"),
        ({"ttpscribe": {"threshold": 1.5}}, "TTPSCRIBE_THRESHOLD"),
        ({"ttpscribe": {"max_tlp": "TLP:PINK"}}, "TTPSCRIBE_MAX_TLP"),
        ({"ttpscribe": {"treshold": 0.5}}, "no setting 'ttpscribe: treshold'"),
        ({"opencti": ["url"]}, "must have sections"),
    ],
)
def test_faults_are_named(tmp_path: Path, sections: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load(config(tmp_path, **sections))
    assert said in str(caught.value)


def test_a_file_that_is_no_yaml(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text("opencti: [")
    with pytest.raises(SettingsError, match="not YAML"):
        Settings.load(path)
    with pytest.raises(SettingsError, match=r"copy config\.yml\.sample"):
        Settings.load(tmp_path / "other.yml")


def test_generated_files_are_current(project: Path) -> None:
    for path, content in files(project).items():
        assert path.read_text(encoding="utf-8") == content, (
            f"{path.name} is not what the settings say: python -m connector.reference"
        )


def test_the_sample_is_a_configuration(tmp_path: Path) -> None:
    given = yaml.safe_load(sample())
    given["opencti"] |= {"token": "a token"}
    path = tmp_path / "config.yml"
    path.write_text(yaml.safe_dump(given))
    loaded = Settings.load(path)
    assert loaded.connector.scope == ("Report",)
    assert loaded.ttpscribe.operating_point == "balanced"


def test_the_schema_accepts_what_the_settings_do() -> None:
    described = json.loads(schema())
    jsonschema.Draft202012Validator.check_schema(described)
    jsonschema.validate({**MINIMUM, "TTPSCRIBE_THRESHOLD": 0.5}, described)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**MINIMUM, "TTPSCRIBE_THRESHOLD": 5}, described)


def test_the_manifest_has_what_the_ecosystem_asks_for(project: Path) -> None:
    manifest = json.loads((project / "__metadata__" / "connector_manifest.json").read_text())
    assert manifest["playbook_supported"] is True
    assert manifest["container_type"] == "INTERNAL_ENRICHMENT"
    assert 0 < len(manifest["short_description"]) <= 250
    names = ("title", "slug", "description", "use_cases", "solution_categories", "contact")
    names += ("license_type", "max_confidence_level", "support_version", "container_image")
    assert all(manifest[name] for name in names)
