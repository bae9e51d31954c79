"""What the Makefile asks before it destroys anything."""

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
