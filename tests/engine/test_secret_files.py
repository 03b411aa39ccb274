"""Secrets from files, for the ledger and the connector."""

from __future__ import annotations

import pytest

from connector.errors import SettingsError
from connector.settings import Settings
from engine.errors import UsageError
from engine.ledger.database import resolve
from engine.secret_files import secret_from_file

HIDDEN, OWN, OTHER = "hidden", "own", "other"


@pytest.fixture
def secret(tmp_path, monkeypatch):
    path = tmp_path / "secret"
    path.write_text("hidden\n")
    monkeypatch.setenv("TTPSCRIBE_LEDGER_PASSWORD_FILE", str(path))
    monkeypatch.setenv("OPENCTI_TOKEN_FILE", str(path))
    monkeypatch.setenv("OPENCTI_URL", "http://opencti:8080")
    monkeypatch.delenv("OPENCTI_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    return path


def test_the_ledgers_password_is_read_where_the_url_has_none(secret):
    assert resolve("postgresql://ttpscribe@ledger/ttpscribe").password == HIDDEN
    assert resolve("postgresql://ttpscribe:own@ledger/ttpscribe").password == OWN
    assert HIDDEN not in str(resolve("postgresql://ttpscribe@ledger/ttpscribe"))
    assert resolve("sqlite:////tmp/l.sqlite").password is None


def test_the_token_is_read_and_the_variable_goes_before_it(secret, monkeypatch):
    assert Settings.load().opencti.token.get_secret_value() == HIDDEN
    assert Settings.load().for_pycti()["opencti"]["token"] == HIDDEN
    monkeypatch.setenv("OPENCTI_TOKEN", "other")
    assert Settings.load().opencti.token.get_secret_value() == OTHER


def test_the_file_goes_before_config_yml(secret, tmp_path):
    (tmp_path / "config.yml").write_text("opencti:\n  token: 'written'\n")
    assert Settings.load().for_pycti()["opencti"]["token"] == HIDDEN


@pytest.mark.parametrize("content", [None, "", "\n", b"\xff\xfe"])
def test_a_file_that_is_none_is_named_and_not_shown(secret, content):
    secret.unlink()
    if content is not None:
        secret.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match="TTPSCRIBE_LEDGER_PASSWORD_FILE names"):
        secret_from_file("TTPSCRIBE_LEDGER_PASSWORD")
    with pytest.raises((UsageError, SettingsError), match="OPENCTI_TOKEN_FILE"):
        Settings.load()


def test_without_a_variable_there_is_none(monkeypatch):
    monkeypatch.delenv("TTPSCRIBE_LEDGER_PASSWORD_FILE", raising=False)
    assert secret_from_file("TTPSCRIBE_LEDGER_PASSWORD") is None
