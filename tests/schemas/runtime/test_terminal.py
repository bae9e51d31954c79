"""Texts from data neither control the terminal nor are read as markup, in logs and in errors as well."""

import pytest

from schemas.runtime.cli import configure_logging, log, run_command
from schemas.runtime.errors import ConfigError

HOSTILE = "\x1b]0;title\x07 a\u202eb [/b]"
SHOWN = "\\x1b]0;title\\x07 a\\u202eb [/b]"


def test_an_error_is_printed_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise ConfigError(f"no file {HOSTILE}; here; name another")

    assert run_command(fails) == 2  # type: ignore[arg-type]
    assert capsys.readouterr().err == f"error: no file {SHOWN}; here; name another\n"


def test_a_traceback_is_printed_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise ValueError(HOSTILE)

    assert run_command(fails) == 1  # type: ignore[arg-type]
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert not any(char in said for char in "\x1b\x07\u202e")


def test_a_log_line_holds_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    log.warning("left out", file=HOSTILE)
    said = capsys.readouterr().err
    assert "title" in said
    assert not any(char in said for char in "\x1b\x07\u202e")
