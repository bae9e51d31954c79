"""The lock file: one exact version per line, no index or URL, and the environment matches it."""

import re
from importlib.metadata import version

from schemas.runtime.settings import ROOT

LINES = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if line and not line.startswith("#")]


def test_every_line_is_one_exact_version() -> None:
    assert [line for line in LINES if not re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.]+", line)] == []


def test_conflicting_packages_are_left_out() -> None:
    names = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in LINES}
    assert not names & {"pyspark-client", "sentence-transformers", "llama-cpp-python"}
    assert {"pyspark", "torch", "mpmath", "setuptools"} <= names


def test_lock_matches_the_environment() -> None:
    pins = dict(line.split("==") for line in LINES)
    installed = {name: version(name).partition("+")[0] for name in pins}  # torch appends its build variant
    assert installed == pins
