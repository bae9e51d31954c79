"""Runs the project's commands, ``python -m <module> <arguments>``, from this package, which may not import them."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from schemas.runtime.errors import ClickwrightError
from schemas.runtime.setting_groups import ROOT


def start(module: str, arguments: Sequence[str] = ()) -> "subprocess.Popen[str]":
    """Start a command in a process of its own, whose memory is free again when it ends.

    Args:
        module: the command's module.
        arguments: its arguments.
    """
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    )


def result(module: str, process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Wait for a command that :func:`start` started, and return its result: the last line of its standard output.

    Args:
        module: the command's module, for the message.
        process: the command.

    Raises:
        ClickwrightError: the command failed.
    """
    out, errors = process.communicate()
    if process.returncode:
        raise ClickwrightError(last_error(module, errors))
    found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return found


def run(module: str, arguments: Sequence[str] = ()) -> dict[str, Any]:
    """Run a command and return its result.

    Args:
        module: the command's module.
        arguments: its arguments.

    Raises:
        ClickwrightError: the command failed.
    """
    return result(module, start(module, arguments))


def last_error(module: str, errors: str) -> str:
    """The error message of a failed command.

    >>> last_error("jobs.late_days", "a warning\\nerror: the lake is lost")
    'the lake is lost'

    Args:
        module: the command's module, named if the command printed nothing.
        errors: the command's standard error.
    """
    return (errors.strip().splitlines() or [f"{module} printed no error"])[-1].removeprefix("error: ")
