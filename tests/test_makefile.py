"""The Makefile: its list of targets, and the question before it destroys anything."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the Makefile and a pseudonym key."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "var" / "secrets").mkdir(parents=True)
    (tmp_path / "var" / "secrets" / "pseudonym.key").write_text("k" * 64)
    return tmp_path


def make_clean(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "clean", *arguments]
    return subprocess.run(command, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def test_clean_removes_nothing_unless_it_is_confirmed(home: Path) -> None:
    for refused in (make_clean(home), make_clean(home, "CONFIRM=no")):
        assert refused.returncode != 0
        assert "var/secrets and var/erasures; back them up, then run: make clean CONFIRM=yes" in refused.stderr
    assert (home / "var" / "secrets" / "pseudonym.key").exists()
    assert make_clean(home, "CONFIRM=yes").returncode == 0
    assert not (home / "var").exists()


def test_make_alone_lists_every_target_in_its_group_and_the_variables() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    groups = [part.splitlines()[0] for part in listed.split("\n\n")[1:]]
    assert groups == ["Start here", "Run", "Test", "Measure", "Maintain", "Variables, as in make test WORKERS=4"]
    makefile = (ROOT / "Makefile").read_text()
    phony = {name for names in re.findall(r"^\.PHONY: (help .*)$", makefile, re.MULTILINE) for name in names.split()}
    assert set(re.findall(r"^  make ([a-z-]+)", listed, re.MULTILINE)) == phony
    assert re.search(r"^  WORKERS +make test, make check: processes that test$", listed, re.MULTILINE)


def test_an_unsuitable_python_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    command = ["make", "install", "PYTHON=python2.7", f"VENV={tmp_path / 'venv'}"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "error: Python: 'python2.7' is not there, and 3.11 is needed" in refused.stderr
    assert not (tmp_path / "venv").exists()
