"""The lock: every line one exact version, from no named place, and the environment is what it says."""

import re
from importlib.metadata import version

from schemas.runtime.settings import ROOT

LINES = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if line and not line.startswith("#")]


def test_every_line_is_one_version_and_names_no_place() -> None:
    assert [line for line in LINES if not re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.]+", line)] == []


def test_what_would_break_the_environment_is_left_out() -> None:
    names = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in LINES}
    assert not names & {"pyspark-client", "sentence-transformers", "llama-cpp-python"}
    assert {"pyspark", "torch", "mpmath", "setuptools"} <= names


def test_is_what_is_installed() -> None:
    pins = dict(line.split("==") for line in LINES)
    installed = {name: version(name).partition("+")[0] for name in pins}  # torch adds the kind of its build
    assert installed == pins
