"""The examples in the docstrings are true: every module that has one is run by doctest."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("dags", "jobs", "local", "ml", "schemas")
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if ">>> " in path.read_text()
]
HEAVY = ("alerts", "guided_decoding", "plots", "transformer", "validator")
"""Words in the names of modules that import Airflow, Great Expectations, Matplotlib or Transformers."""


@pytest.mark.parametrize(
    "module", [pytest.param(name, marks=pytest.mark.slow) if any(word in name for word in HEAVY) else name for name in MODULES]
)
def test_examples(module: str) -> None:
    result = doctest.testmod(import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0
