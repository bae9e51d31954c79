"""Settings: typed, strict, read from the environment."""

from pathlib import Path

import pytest

from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import ROOT, get_settings, main


def test_settings_are_documented_and_paths_start_at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLICKWRIGHT_VAR")
    settings = get_settings()
    assert settings.var == ROOT / "var"
    assert settings.landing_dir == ROOT / "var" / "landing"
    assert all(field.description for field in type(settings).model_fields.values())


def test_a_password_in_a_uri_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_CATALOG_URI", "postgresql+psycopg2://lake:s3cret@db.example:5432/lake")
    shown = main([])["CLICKWRIGHT_CATALOG_URI"]["value"]
    assert shown == "postgresql+psycopg2://lake:***@db.example:5432/lake"


def test_a_misspelt_setting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_SESION_GAP_MINUTES", "20")
    with pytest.raises(ConfigError, match="unknown setting CLICKWRIGHT_SESION_GAP_MINUTES"):
        get_settings()


def test_an_invalid_value_names_the_setting_and_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_SESSION_GAP_MINUTES", "soon")
    with pytest.raises(ConfigError, match="wrong setting CLICKWRIGHT_SESSION_GAP_MINUTES='soon'"):
        get_settings()


KEY = "a secret of at least 32 characters"


def test_a_key_from_the_environment_is_used_and_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_PSEUDONYM_KEY", KEY)
    settings = get_settings()
    assert settings.pseudonym_secret() == KEY.encode()
    assert KEY not in repr(settings)


def test_a_key_in_a_file_with_a_line_end_is_the_key_of_the_setting(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (var / "secrets").mkdir(parents=True)
    for content in (f"{KEY}\n", f"\ufeff{KEY}\r\n"):
        (var / "secrets" / "pseudonym.key").write_text(content)
        assert get_settings().pseudonym_secret() == KEY.encode()
    (var / "secrets" / "pseudonym.key").write_bytes(b"\xff" * 32)
    assert get_settings().pseudonym_secret() == b"\xff" * 32
    monkeypatch.setenv("CLICKWRIGHT_PSEUDONYM_KEY", f" {KEY}\r\n")
    assert get_settings().pseudonym_secret() == KEY.encode()


@pytest.mark.parametrize("key", ["", " \n", "0123", "k" * 31 + "\n"])
def test_an_empty_or_short_key_is_an_error(key: str, var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (var / "secrets").mkdir(parents=True)
    (var / "secrets" / "pseudonym.key").write_text(key)
    with pytest.raises(ConfigError, match=r"instead of at least 32; at .*pseudonym\.key"):
        get_settings().pseudonym_secret()
    monkeypatch.setenv("CLICKWRIGHT_PSEUDONYM_KEY", key)
    with pytest.raises(ConfigError, match="instead of at least 32; in the environment"):
        get_settings().pseudonym_secret()


def test_reading_the_key_does_not_make_one(var: Path) -> None:
    with pytest.raises(ConfigError, match="the key of the pseudonyms is missing"):
        get_settings().pseudonym_secret()
    assert not (var / "secrets").exists()


def test_alerts_go_to_the_log_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_settings().alarm_channels == ["log"]
    monkeypatch.setenv("CLICKWRIGHT_ALARMS", "smtp, log,smtp")
    monkeypatch.setenv("CLICKWRIGHT_ALARM_RECIPIENTS", "one@example.org, two@example.org")
    assert get_settings().alarm_channels == ["smtp", "log"]
    assert get_settings().alarm_addresses == ["one@example.org", "two@example.org"]


@pytest.mark.parametrize(
    ("channels", "recipients", "message"),
    [
        ("log,pigeon", "", r"wrong setting CLICKWRIGHT_ALARMS='log,pigeon' \(.*unknown channel pigeon; use log, smtp"),
        ("smtp", " , ", r"wrong setting CLICKWRIGHT_ALARM_RECIPIENTS=.*needs an email address"),
        ("log", "nobody", r"wrong setting CLICKWRIGHT_ALARM_RECIPIENTS='nobody'.*is not an email address"),
    ],
)
def test_an_alert_channel_without_a_recipient_is_an_error(
    monkeypatch: pytest.MonkeyPatch, channels: str, recipients: str, message: str
) -> None:
    monkeypatch.setenv("CLICKWRIGHT_ALARMS", channels)
    monkeypatch.setenv("CLICKWRIGHT_ALARM_RECIPIENTS", recipients)
    with pytest.raises(ConfigError, match=message):
        get_settings()
