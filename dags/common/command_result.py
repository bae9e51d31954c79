"""A command as a task sees it: what its lines and its exit code mean, and how all of it is ended.

Exit codes: 0 done; 2 a wrong setting or argument, and 3 a refusal, which fail at once because trying again
cannot help; 99 nothing to do, which skips; anything else fails and may be tried again.
"""

import ctypes
import json
import os
import re
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from subprocess import Popen, TimeoutExpired
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

NOT_TO_BE_RETRIED = (2, 3)
NOTHING_TO_DO = 99
KEPT_LINES = 200
"""Lines kept from the end of a command's output: its error or result, and what libraries say after it."""

_ERROR = re.compile(r"^(?:[\w.-]+: )?error: (?P<message>.+)$")
_PR_SET_PDEATHSIG = 1


def error_line(lines: Sequence[str]) -> str | None:
    """The message of the last line ``error: ...``, or as argparse has it ``program: error: ...``."""
    return next((match["message"] for line in reversed(lines) if (match := _ERROR.match(line.strip()))), None)


def result_line(lines: Sequence[str]) -> dict[str, Any] | None:
    """The last line that is a JSON object: a command's result. Libraries may say something after it."""
    for line in reversed(lines):
        if line.lstrip().startswith("{"):
            with suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict):
                    return found
    return None


def failure(what: str, exit_code: int, lines: Sequence[str]) -> AirflowException:
    """The exception that says in one line why ``what`` ended with ``exit_code``, and whether to try again."""
    # Ended by a signal: Popen says so by a negative number, a shell and a JVM by one above 128.
    number = -exit_code if exit_code < 0 else exit_code - 128
    if number in set(signal.Signals):
        name = signal.Signals(number).name
        return AirflowException(f"{what} was ended by {name}: somebody stopped it, or memory ran out")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    message = error_line(lines) or f"{what} ended with exit code {exit_code}: {last}"
    if exit_code == NOTHING_TO_DO:
        return AirflowSkipException(message)
    if exit_code in NOT_TO_BE_RETRIED:
        return AirflowFailException(message)
    return AirflowException(message)


def given(arguments: Iterable[str] | None) -> list[str]:
    """The arguments without those that a template left empty: so a workflow writes an optional argument."""
    return [text for argument in arguments or () if (text := str(argument).strip())]


def own_group() -> dict[str, Any]:
    """Keywords for Popen: a process group of its own, which ends with this process, however that ends."""
    if not sys.platform.startswith("linux"):
        return {"start_new_session": True}
    libc = ctypes.CDLL(None)  # loaded now, so that nothing but one system call happens after the fork
    return {
        "start_new_session": True,
        "preexec_fn": lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM),
    }


def end_group(process: "Popen[str] | None", grace_s: float = 10.0) -> None:
    """End a process started with `own_group`, and all that it started: asked first, then made to."""
    if process is None or process.poll() is not None:
        return
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(TimeoutExpired):
            process.wait(grace_s)
            # The head is gone; whoever of its group is still there has had the same request.
            if sign is signal.SIGTERM:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            return
