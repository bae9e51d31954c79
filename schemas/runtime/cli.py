"""Shared by all commands: one JSON line as the result, one line for an error, and a meaningful exit code."""

import argparse
import errno
import hashlib
import io
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import structlog

from schemas.runtime.errors import ClickwrightError
from schemas.runtime.full_disk import full_disk
from schemas.runtime.local_files import private_umask
from schemas.runtime.masking import shown, shown_values
from schemas.runtime.panics import is_panic, raised_at
from schemas.runtime.processor_time import total, tree
from schemas.runtime.terminal import printable

log: structlog.stdlib.BoundLogger = structlog.get_logger("clickwright")

STARTED = 19
"""Index of a process's start time among the fields of `/proc/<pid>/stat` after its name (proc_pid_stat(5))."""
# Errors of the operating system that a user can fix, and the remedy for each.
REMEDIES = {
    "ENOSPC": "free some disk space, then run the same command again: nothing was published",
    "EACCES": "give this user permission, then run the same command again",
    "EROFS": "mount it read-write, then run the same command again",
}


def parser_of(description: str | None, example: str) -> argparse.ArgumentParser:
    """Make the parser of a command. Its help ends with an example, which names the command too.

    Args:
        description: the purpose of the command in a sentence, or the docstring of its module.
        example: a command line that works as it stands, ``python -m <module> <arguments>``.

    >>> parser_of("Stage the catalogue.", "python -m jobs.items --as-of 1998-04-16").print_help()
    usage: python -m jobs.items [-h]
    <BLANKLINE>
    Stage the catalogue.
    <BLANKLINE>
    options:
      -h, --help  show this help message and exit
    <BLANKLINE>
    Example:
      python -m jobs.items --as-of 1998-04-16
    """
    return argparse.ArgumentParser(
        prog=" ".join(example.split()[:3]),
        description=description,
        epilog=f"Example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def day(text: str) -> date:
    """Parse a date of the form YYYY-MM-DD, for ``argparse``.

    >>> day("2026-11-20")
    datetime.date(2026, 11, 20)
    """
    return date.fromisoformat(text)


def configure_logging() -> None:
    """Send structured log lines to standard error; standard output is for the result only."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            lambda _, __, fields: shown_values(fields),
            _without_control_characters,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
            if sys.stderr.isatty()
            else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # the stream of the moment
    )


def _without_control_characters(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Names of files and texts of lines stand in logs, which people read on terminals."""
    return {name: printable(value) if isinstance(value, str) else value for name, value in event.items()}


@contextmanager
def log_duration(on: str, java: int | None = None) -> Iterator[None]:
    """Log how long ``spark``, ``pytorch``, ``great_expectations`` or ``iceberg`` worked: all but start-up.

    Args:
        on: the library.
        java: id of Spark's Java process, which several commands may use at once: the log tells the first and the last of its
            processor seconds, so that common ones can be counted once (`local.stack.overheads`).
    """
    began, (own, shared) = time.perf_counter(), _spent(java)
    yield
    elapsed, (own_now, shared_now) = time.perf_counter() - began, _spent(java)
    of_java = {} if java is None else {"java": java, "java_from": round(shared, 2), "java_to": round(shared_now, 2)}
    log.info("worked", on=on, seconds=round(elapsed, 2), processor_seconds=round(own_now - own, 2), **of_java)


def _spent(java: int | None) -> tuple[float, float]:
    """The processor seconds of this process, and of Java, each with the processes below it; none counts in both."""
    shared = {} if java is None else tree([java])
    own = {pid: times for pid, times in tree([os.getpid()]).items() if pid not in shared}
    return total(own), total(shared)


def one_line(text: object) -> str:
    """Collapse all white space of a text, line breaks included, to single spaces.

    >>> one_line("no\\n  file")
    'no file'
    """
    return " ".join(str(text).split())


def explain_os_error(error: OSError) -> str:
    """Format an error of the operating system or an object store as one line: the problem; its place; the remedy.

    >>> explain_os_error(PermissionError(13, "Permission denied", "/data"))
    'Permission denied; at /data; give this user permission, then run the same command again'
    """
    if "AWS Error" in str(error):  # Arrow's message for object stores
        return f"the object store cannot be used ({one_line(error)}); repair it, or correct CLICKWRIGHT_OBJECT_STORE_..."
    name = errno.errorcode.get(error.errno or 0, "")
    remedy = REMEDIES.get(name, "fix the cause, then run the same command again")
    # Arrow replaces strerror by a message of its own.
    said = os.strerror(error.errno or 0) if name in REMEDIES else error.strerror or one_line(error)
    return f"{said}; at {error.filename or 'this machine'}; {remedy}"


def run_command(main: Callable[[], dict[str, Any]]) -> int:
    """Run a command's ``main``: print its result as the last line of standard output, or its error as one line.

    Unexpected errors print a traceback above the one-line message. Passwords are masked in all of them. Files that the command
    makes are readable by their owner only.

    Returns:
        The exit code: 0, or the code of the error.
    """
    _write_utf8()
    configure_logging()
    private_umask()
    try:
        result = main()
    except ClickwrightError as error:
        return _fail(one_line(error), error.exit_code)
    except Exception as error:
        if (where := full_disk(error)) is not None:
            return _fail(f"{os.strerror(errno.ENOSPC)}; at {where}; {REMEDIES['ENOSPC']}", ClickwrightError.exit_code)
        if isinstance(error, OSError):
            return _fail(explain_os_error(error), ClickwrightError.exit_code)
        import traceback

        sys.stderr.write(printable(shown(traceback.format_exc()), keep="\n"))
        return _fail(f"{type(error).__name__}: {one_line(error)[:500]}", ClickwrightError.exit_code)
    except BaseException as error:
        if not is_panic(error):
            raise
        why = f"a library failed ({one_line(error)[:200]}); at {raised_at(error)}; report it with the lines above"
        return _fail(why, ClickwrightError.exit_code)
    print(json.dumps(shown_values(result), default=str), flush=True)
    return 0


def _write_utf8() -> None:
    """Read and write UTF-8 in any locale: with ``LC_ALL=C`` the streams would refuse every name that is not ASCII."""
    for stream, errors in ((sys.stdin, "strict"), (sys.stdout, "backslashreplace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            stream.reconfigure(encoding="utf-8", errors=errors)


def _fail(message: str, code: int) -> int:
    sys.stdout.flush()
    print(f"error: {printable(shown(message))}", file=sys.stderr, flush=True)
    return code


def run_id_default() -> str:
    """The default run: one per shell, so that build, audit and publish commands of a shell work on the same run.

    Process ids are reused, so the name also depends on the machine, its boot and the start of the shell. It is therefore unique
    among all shells of all machines that share the state.
    """
    shell = os.getppid()
    marks = [platform.node()]
    with suppress(OSError):  # these files exist only on Linux
        marks.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8"))
        marks.append(Path(f"/proc/{shell}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[STARTED])
    return f"shell-{shell}-{hashlib.sha256(' '.join(marks).encode()).hexdigest()[:8]}"
