"""Byte code is written for imported modules, also in a shell that forbids it."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from local.machine.byte_code import COMMANDS, SERVICES, write
from schemas.runtime.errors import ClickwrightError


def test_every_listed_module_exists() -> None:
    assert [name for name in (*SERVICES, *COMMANDS) if find_spec(name) is None] == []


def test_byte_code_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "used.py").write_text("import used_too\n")
    (tmp_path / "used_too.py").write_text("")
    (tmp_path / "unused.py").write_text("")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    write([["used"]])
    assert sorted(path.name.split(".")[0] for path in (tmp_path / "__pycache__").iterdir()) == ["used", "used_too"]


def test_a_package_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(ClickwrightError, match="No module named 'nowhere'"):
        write([["json"], ["nowhere"]])


@pytest.mark.slow
def test_airflow_writes_nothing_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    write([["airflow.configuration"]])
    assert list(tmp_path.iterdir()) == []
