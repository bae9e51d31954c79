"""The result of a command: how a task reads its output and exit code, and ends its processes.

Exit codes: 0 is success. 2 (a wrong setting or argument), 3 (a refusal) and 4 (a line of an erasure request found nobody) fail
without a retry, because a retry cannot help. 99 means nothing to do and skips the task. Any other code fails the task and may
be retried.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from subprocess import TimeoutExpired
from typing import Any, Protocol

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

NOT_TO_BE_RETRIED = (2, 3, 4)
NOTHING_TO_DO = 99
KEPT_LINES = 200
"""Lines kept from the end of a command's output: its error or result may be followed by messages of libraries."""

_ERROR = re.compile(r"^(?:[\w.-]+: )?error: (?P<message>.+)$")


def error_line(lines: Sequence[str]) -> str | None:
    """The message of the last ``error: ...`` line, or of argparse's ``program: error: ...``.

    >>> error_line(["error: first", "clean.py: error: second", "a warning"])
    'second'
    """
    return next((match["message"] for line in reversed(lines) if (match := _ERROR.match(line.strip()))), None)


def result_line(lines: Sequence[str]) -> dict[str, Any] | None:
    """The last line that is a JSON object: the command's result. Messages of libraries may follow it.

    >>> result_line(["reading", '{"rows": 3}', "a warning"])
    {'rows': 3}
    """
    for line in reversed(lines):
        if line.lstrip().startswith("{"):
            with suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict):
                    return found
    return None


def failure(what: str, exit_code: int, lines: Sequence[str]) -> AirflowException:
    """The exception for a failed command: its message is one line, its type decides about a retry.

    >>> failure("jobs.clean", 2, ["error: unknown source; in settings; fix it"])
    AirflowFailException('unknown source; in settings; fix it')
    >>> failure("jobs.clean", 137, [])
    AirflowException('jobs.clean was ended by SIGKILL: it was stopped, or memory ran out')

    Args:
        what: the command's name.
        exit_code: its exit code; negative if a signal ended it.
        lines: the end of its output.
    """
    # Ended by a signal: Popen reports a negative number, a shell and a JVM report 128 plus the signal.
    number = -exit_code if exit_code < 0 else exit_code - 128
    if number == signal.SIGBUS:
        return AirflowException(f"{what} was ended by SIGBUS: the disk of the state folder or of temporary files is full")
    if number in set(signal.Signals):
        name = signal.Signals(number).name
        return AirflowException(f"{what} was ended by {name}: it was stopped, or memory ran out")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
    message = error_line(lines) or f"{what} ended with exit code {exit_code}: {last}"
    if exit_code == NOTHING_TO_DO:
        return AirflowSkipException(message)
    if exit_code in NOT_TO_BE_RETRIED:
        return AirflowFailException(message)
    return AirflowException(message)


def given(arguments: Iterable[str] | None) -> list[str]:
    """The arguments that are not empty; a template that renders to nothing leaves an optional argument out.

    >>> given(["--as-of", "1998-04-16", " "])
    ['--as-of', '1998-04-16']
    """
    return [text for argument in arguments or () if (text := str(argument).strip())]


def own_group() -> dict[str, Any]:
    """Arguments for Popen: a separate process group, which is ended when this process ends in any way."""
    if not sys.platform.startswith("linux"):
        return {"start_new_session": True}
    # Imported here: Airflow reads the workflows without this project's modules.
    from schemas.runtime.local_processes import end_with_parent

    task = os.getpid()
    return {"start_new_session": True, "preexec_fn": lambda: end_with_parent(task)}


class Process(Protocol):
    """The part of ``subprocess.Popen`` that ending a command needs."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...


def end_group(process: Process | None, grace_s: float = 10.0) -> None:
    """End a process started with `own_group` and all its children: SIGTERM first, then SIGKILL.

    Args:
        process: the head of the group; nothing happens if it has ended, or is None.
        grace_s: seconds between the two signals.
    """
    if process is None or process.poll() is not None:
        return
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(TimeoutExpired):
            process.wait(grace_s)
            # The head has ended; the rest of its group has received SIGTERM as well.
            if sign is signal.SIGTERM:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            return
