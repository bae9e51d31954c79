"""The life of a command that the fork server runs: a handler, which watches both ends, and the command itself."""

import atexit
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import Any, NoReturn

from local.stack.shared_spark import SharedSpark
from schemas.runtime.local_processes import end_with_parent

GRACE_S = 10.0
"""Seconds that a command has between SIGTERM and SIGKILL."""
NOT_FLUSHED = 120
"""Python's exit code when the output could not be written to its end."""


def say(connection: socket.socket, **answer: object) -> None:
    """Send an answer, unless the caller has gone."""
    with suppress(OSError):
        connection.sendall(json.dumps(answer).encode() + b"\n")


def gone(connection: socket.socket) -> bool:
    """Whether the caller has closed its end."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))


def handle(connection: socket.socket, request: dict[str, Any], output: int, spark: SharedSpark) -> NoReturn:
    """Run a command, report its exit code, and end it if its caller goes: the whole life of a forked handler.

    Args:
        connection: to the caller.
        request: the command.
        output: descriptor of its output.
        spark: the Spark that commands share.
    """
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        held = spark.attach(lambda: gone(connection)) if request["spark"] else None
        if request["spark"] and held is None:
            say(connection, refused="Spark did not start")
        elif not gone(connection):  # a caller that has gone may have started the command by itself
            command = _start(request, output, held.environment if held else {})
            signal.signal(signal.SIGTERM, lambda *_: _signal_group(command, signal.SIGTERM))
            say(connection, pid=command)
            say(connection, exit=_watch(connection, command))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _start(request: dict[str, Any], output: int, extra: dict[str, str]) -> int:
    """Fork the command, and wait until it leads a group of its own, which can be signalled. Returns its id."""
    leads, told = os.pipe()
    handler, command = os.getpid(), os.fork()
    if command == 0:
        try:
            os.setsid()
            os.write(told, b"1")
            os._exit(_become(request, output, handler, extra) & 0xFF)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(told)
    os.close(output)
    os.read(leads, 1)
    os.close(leads)
    return command


def _watch(connection: socket.socket, command: int) -> int:
    """Wait until a command has ended; when its caller goes, end it and its children. Returns the exit code."""
    descriptor = os.pidfd_open(command)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.register(connection, select.POLLRDHUP)
    kill_at = None
    while True:
        events = dict(poll.poll(None if kill_at is None else 200))
        if descriptor in events:
            _, status = os.waitpid(command, 0)
            if kill_at is not None:
                _signal_group(command, signal.SIGKILL)  # children that outlived it
            return os.waitstatus_to_exitcode(status)
        if kill_at is None and connection.fileno() in events:
            poll.unregister(connection)
            _signal_group(command, signal.SIGTERM)
            kill_at = time.monotonic() + GRACE_S
        elif kill_at is not None and time.monotonic() > kill_at:
            _signal_group(command, signal.SIGKILL)


def _signal_group(command: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(command, number)


def _become(request: dict[str, Any], output: int, parent: int, extra: dict[str, str]) -> int:
    """Become the command: run the module as ``python -m`` does. Returns its exit code."""
    end_with_parent(parent, signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, standard in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, standard)
    os.closerange(3, 1 << 16)
    os.environ.clear()
    os.environ.update(request["environment"] | extra)
    time.tzset()
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]
    sys.argv = [request["module"], *request["arguments"]]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, write_through=True)  # type: ignore[union-attr]
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # otherwise all commands would begin with one state
    return _run(request["module"])


def _run(module: str) -> int:
    """Run a module to its end, and return its exit code."""
    code: object = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    for finish in (threading._shutdown, atexit._run_exitfuncs):  # type: ignore[attr-defined]  # as the interpreter does
        with suppress(BaseException):
            finish()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return NOT_FLUSHED
    return int(code or 0)
