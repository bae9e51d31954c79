"""The lock files: exact versions with the hashes of their files, no index or URL, and the environment matches them."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from schemas.runtime.settings import ROOT

HERE = ("requirements.lock", "requirements-torch.lock", "requirements-tools.lock")
"""Installed into the one environment."""
LOCKS = sorted({*(ROOT / name for name in HERE), ROOT / ".ci" / "requirements.txt", *ROOT.glob("tests/**/requirements.txt")})
ENTRY = re.compile(r"[\w.-]+==[\w.]+( +--hash=sha256:[0-9a-f]{64})+")


def entries(lock: Path) -> list[str]:
    """The packages of a lock, each with its version and its hashes in one line."""
    lines = lock.read_text().replace("\\\n", " ").splitlines()
    return [line for line in lines if not line.startswith("#")]


PINS = dict(entry.split()[0].split("==") for name in HERE for entry in entries(ROOT / name))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_entry_is_one_exact_version_with_hashes(lock: Path) -> None:
    assert [entry for entry in entries(lock) if not ENTRY.fullmatch(entry)] == []


def test_no_package_is_pinned_twice() -> None:
    assert len(PINS) == sum(len(entries(ROOT / name)) for name in HERE)


def test_conflicting_packages_are_left_out() -> None:
    names = {re.sub(r"[-_.]+", "-", name).lower() for name in PINS}
    assert not names & {"pyspark-client", "sentence-transformers", "llama-cpp-python"}
    assert {"pyspark", "torch", "mpmath", "setuptools"} <= names


def test_the_environment_matches_the_locks() -> None:
    installed = {name: version(name).partition("+")[0] for name in PINS}  # torch appends its build variant
    assert installed == PINS
