"""The key of the pseudonyms by its name: each process reads it itself, and never makes or takes another one."""

from pathlib import Path

import pytest
from pyspark import cloudpickle

from schemas.lake.pseudonym_key import pseudonym_key
from schemas.privacy.pseudonyms import NamedKey
from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import get_settings

pytestmark = pytest.mark.security
KEY = "0123456789abcdef0123456789abcdef"


def test_the_name_does_not_hold_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_PSEUDONYM_KEY", KEY)
    named = NamedKey.of(get_settings())
    assert KEY.encode() not in cloudpickle.dumps(named)
    assert named.read() == KEY.encode()


def test_a_process_with_other_settings_reads_the_key_of_the_named_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = pseudonym_key(get_settings())
    named = NamedKey.of(get_settings())
    monkeypatch.setenv("CLICKWRIGHT_VAR", str(tmp_path / "of a worker"))
    assert named.read() == key


def test_another_key_is_refused_and_a_missing_one_is_not_made(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pseudonym_key(get_settings())
    named = NamedKey.of(get_settings())
    monkeypatch.setenv("CLICKWRIGHT_PSEUDONYM_KEY", KEY)
    with pytest.raises(ConfigError, match="this process has another key of the pseudonyms"):
        named.read()
    monkeypatch.delenv("CLICKWRIGHT_PSEUDONYM_KEY")
    (var / "secrets" / "pseudonym.key").unlink()
    with pytest.raises(ConfigError, match="this process has no key of the pseudonyms"):
        named.read()
    assert not (var / "secrets" / "pseudonym.key").exists()
