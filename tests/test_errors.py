"""A remedy that tells the reader to run something gives the command, in backticks, so that it can be typed."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("dags", "jobs", "local", "ml", "schemas")
ERRORS = {"ClickwrightError", "ConfigError", "Refused", "NobodyFound", "AirflowError", "refuse"}
VAGUE = re.compile(
    r"(?:; |: |, then |, or |and )(?:then )?run (?!`|\{|the same command|it after|newer code|the code of)[^;,\"]*"
)


def text_of(node: ast.AST) -> str:
    """The text of a message, with ``{}`` for each value in it."""
    return "".join(
        part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "{}"
        for part in (node.values if isinstance(node, ast.JoinedStr) else [node])
    )


def messages(path: Path) -> Iterator[str]:
    """The texts with which a module raises its errors."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
            yield from (text_of(argument) for argument in node.args)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_command_to_run_is_given_in_backticks(package: str) -> None:
    vague = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for message in messages(path)
        if (found := VAGUE.search(message))
    ]
    assert vague == []


@pytest.mark.parametrize(
    ("message", "is_vague"),
    [
        ("nothing is staged; at {}; run its build first", True),
        ("nothing is staged; at {}; run `python -m jobs.clean --run {}` first", False),
        ("the table is empty; in {}; {}", False),
    ],
)
def test_the_rule(message: str, is_vague: bool) -> None:
    assert bool(VAGUE.search(message)) == is_vague
