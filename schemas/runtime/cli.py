"""What every command has in common: one JSON line as its result, one line for an error, an exit code that means something."""

import errno
import hashlib
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import structlog

from schemas.runtime.errors import ClickwrightError

log: structlog.stdlib.BoundLogger = structlog.get_logger("clickwright")

STARTED = 19
"""Where `/proc/<pid>/stat` has the moment when a process started, counted after its name (proc_pid_stat(5))."""
# What an operating system says when something outside the program is in the way, and what to do then.
REMEDIES = {
    "ENOSPC": "free some space, then run the same command again: nothing was published",
    "EACCES": "give this user the right to it, then run the same command again",
    "EROFS": "mount it writable, then run the same command again",
}


def day(text: str) -> date:
    """A date written as YYYY-MM-DD, for ``argparse``."""
    return date.fromisoformat(text)


def configure_logging() -> None:
    """Structured lines on standard error, so that standard output carries the result alone."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
            if sys.stderr.isatty()
            else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


@contextmanager
def at_work(on: str) -> Iterator[None]:
    """Say in the log how long ``spark``, ``pytorch`` or ``great_expectations`` worked: what of a task was no start-up."""
    began = time.perf_counter()
    yield
    log.info("worked", on=on, seconds=round(time.perf_counter() - began, 2))


def one_line(text: object) -> str:
    return " ".join(str(text).split())


def explain_os_error(error: OSError) -> str:
    """One line for an error of the operating system, or of an object store: what, where, what to do."""
    if "AWS Error" in str(error):  # how Arrow tells it
        return f"the object store cannot be used ({one_line(error)}); see to it, or correct CLICKWRIGHT_OBJECT_STORE_..."
    name = errno.errorcode.get(error.errno or 0, "")
    remedy = REMEDIES.get(name, "see to it, then run the same command again")
    # Arrow words it in its own way, with the number in it.
    said = os.strerror(error.errno or 0) if name in REMEDIES else error.strerror or one_line(error)
    return f"{said}; at {error.filename or 'this machine'}; {remedy}"


def run_command(main: Callable[[], dict[str, Any]]) -> int:
    """Run a command's ``main``: print its result as the last line of standard output, or its error as one line.

    Returns the exit code: 0, or the code of the error. What is no expected error keeps its traceback, above its one line.
    """
    configure_logging()
    try:
        result = main()
    except ClickwrightError as error:
        return _fail(one_line(error), error.exit_code)
    except OSError as error:
        return _fail(explain_os_error(error), ClickwrightError.exit_code)
    except Exception as error:
        if (no_space := os.strerror(errno.ENOSPC)) in str(error):  # Spark and Arrow wrap it in errors of their own
            where = getattr(error, "filename", None) or "the folder of all state (CLICKWRIGHT_VAR)"
            return _fail(f"{no_space}; at {where}; {REMEDIES['ENOSPC']}", ClickwrightError.exit_code)
        import traceback

        traceback.print_exc()
        return _fail(f"{type(error).__name__}: {one_line(error)[:500]}", ClickwrightError.exit_code)
    print(json.dumps(result, default=str), flush=True)
    return 0


def _fail(message: str, code: int) -> int:
    sys.stdout.flush()
    print(f"error: {message}", file=sys.stderr, flush=True)
    return code


def run_id_default() -> str:
    """The run that a command works for when none is named: one per shell, so that build, audit and publish meet.

    The same for every command of a shell, and another for any other shell that ever was, here or on a machine that shares the
    state: process ids come again, so the name also tells the machine, its start and the shell's.
    """
    shell = os.getppid()
    marks = [platform.node()]
    with suppress(OSError):  # no such files but on Linux
        marks.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        marks.append(Path(f"/proc/{shell}/stat").read_text().rpartition(")")[2].split()[STARTED])
    return f"shell-{shell}-{hashlib.sha256(' '.join(marks).encode()).hexdigest()[:8]}"
