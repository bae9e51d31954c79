"""The fork server: it has loaded the libraries, and forks a process for each command of Airflow's tasks.

``python -m local.stack.fork_server``, which ``make up`` starts. `schemas.runtime.fork_client` describes the requests.

Each command runs in a process and a session of its own, with the environment, the working directory and the output of its
caller. When this project's code changes, the server loads it anew before it forks again. It has one thread of Python, as
fork(2) copies one thread only; the threads of OpenBLAS and jemalloc, which the libraries start, survive a fork
(pthread_atfork(3)), and Polars and PyTorch make theirs when they first compute, which is after the fork.
"""

import atexit
import gc
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
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from local.stack.shared_spark import SharedSpark
from schemas.runtime.cli import log, parser_of, run_command
from schemas.runtime.errors import ConfigError
from schemas.runtime.fork_client import LENGTH, SOCKET, bind_private, differing, peer
from schemas.runtime.local_files import CODE, code_state
from schemas.runtime.local_processes import end_with_parent
from schemas.runtime.settings import Settings, get_settings

PRELOADED = (
    "pandas",
    "polars",
    "pyarrow.parquet",
    "pyarrow.dataset",
    "pydantic_settings",
    "structlog",
    "pyiceberg.catalog.sql",
    "pyiceberg.io.pyarrow",
    "great_expectations",
    "pyspark.sql",
    "httpx",
    "yaml",
    "schemas.lake.lake",
    "schemas.publishing.validator",
    "schemas.publishing.overtaken",
    "schemas.spark.shared",
)
PRELOADED_FOR_MODELS = ("torch", "scipy.sparse")
"""Loaded before the first command of ``ml``: a lake without a recommender does without their memory."""
GRACE_S = 10.0
"""Seconds that a command has between SIGTERM and SIGKILL."""


def preload(modules: Sequence[str]) -> None:
    """Import libraries, and keep them out of the garbage collection of the commands.

    Raises:
        ConfigError: a library started a thread of Python, which a fork would lose.
    """
    for module in modules:
        import_module(module)
    if threading.active_count() > 1:
        names = ", ".join(thread.name for thread in threading.enumerate()[1:])
        raise ConfigError(f"a library started threads ({names}); in the fork server; set CLICKWRIGHT_FORK_SERVER=false")
    gc.collect()
    gc.freeze()


def serve(listener: socket.socket, settings: Settings, code: Sequence[Path]) -> NoReturn:
    """Fork a handler for each connection, without end.

    Args:
        listener: the server's socket.
        settings: the settings; they give the Spark master.
        code: the folders of the code; when a file in them changes, the server loads all anew.
    """
    spark, loaded = SharedSpark(settings), code_state(code)
    signal.signal(signal.SIGCHLD, lambda *_: spark.reap())  # not SIG_IGN, with which the processor time of children is lost
    while True:
        connection, _ = listener.accept()
        output: int | None = None
        try:
            request, output = _read(connection)
            if code_state(code) != loaded:
                _say(connection, refused="the code has changed; the server loads it")
                log.info("the code has changed")
                # Commands go on, as children of the same process.
                os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], _first_environment())
            refusal = _refusal(connection, request, settings)
            if refusal is None and request["module"].startswith("ml."):
                preload(PRELOADED_FOR_MODELS)
            if refusal is None and request["spark"]:
                spark.ensure()
        except (OSError, ValueError, KeyError, ConfigError) as error:
            refusal = f"the request cannot be served ({type(error).__name__})"
        if refusal is not None or output is None:
            _say(connection, refused=refusal)
        elif os.fork() == 0:
            listener.close()
            _handle(connection, request, output, spark)
        connection.close()
        if output is not None:
            os.close(output)


def _read(connection: socket.socket) -> tuple[dict[str, Any], int]:
    """The request and the descriptor of the output.

    Raises:
        ValueError: the message is not a request.
        OSError: the caller has gone.
    """
    connection.settimeout(10)
    head, descriptors, _, _ = socket.recv_fds(connection, LENGTH.size, 1, socket.MSG_CMSG_CLOEXEC)
    with connection.makefile("rb") as rest:
        head += rest.read(LENGTH.size - len(head))
        body = rest.read(LENGTH.unpack(head)[0])
    connection.settimeout(None)
    if len(descriptors) != 1:
        raise ValueError("a request has one descriptor")
    request: dict[str, Any] = json.loads(body)
    return request, descriptors[0]


def _refusal(connection: socket.socket, request: dict[str, Any], settings: Settings) -> str | None:
    """Why a request must be started by itself; None if it can be forked."""
    if peer(connection) != os.getuid():
        return "another user asks"
    if names := differing(request["environment"], _first_environment()):
        return f"the environment differs: {', '.join(names[:5])}"
    if request["spark"] and request["spark"] != settings.spark_master:
        return f"the server's Spark master is {settings.spark_master}"
    return None


@cache
def _first_environment() -> dict[str, str]:
    """The environment that this process began with: libraries add variables of their own when they are imported."""
    pairs = (os.fsdecode(line).partition("=") for line in Path("/proc/self/environ").read_bytes().split(b"\0") if line)
    return {name: value for name, _, value in pairs}


def _say(connection: socket.socket, **answer: object) -> None:
    with suppress(OSError):
        connection.sendall(json.dumps(answer).encode() + b"\n")


def _handle(connection: socket.socket, request: dict[str, Any], output: int, spark: SharedSpark) -> NoReturn:
    """Run a command, report its exit code, and end it if its caller goes: the whole life of a forked handler."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        held = spark.attach() if request["spark"] else None
        if request["spark"] and held is None:
            _say(connection, refused="Spark did not start")
            os._exit(0)
        me = os.getpid()
        command = os.fork()
        if command == 0:
            _become(request, output, me, held.environment if held else {})
        os.close(output)
        signal.signal(signal.SIGTERM, lambda *_: _signal_group(command, signal.SIGTERM))
        _say(connection, pid=command)
        code = _watch(connection, command)
        _say(connection, exit=code)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


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


def _become(request: dict[str, Any], output: int, parent: int, extra: dict[str, str]) -> NoReturn:
    """Become the command: this forked process runs the module as ``python -m`` does, and ends."""
    os.setsid()
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
    os._exit(_run(request["module"]))


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
    with suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]  # waits for the threads that are not daemons, as the interpreter does
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    return int(code or 0)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Load the libraries and serve."""
    parser = parser_of(
        "Fork a process with loaded libraries for each command of Airflow's tasks.", "python -m local.stack.fork_server"
    )
    parser.add_argument(
        "--code", type=Path, nargs="+", default=CODE, help="folders whose changes make the server load all anew"
    )
    code: Sequence[Path] = parser.parse_args(argv).code
    if not sys.platform.startswith("linux"):
        raise ConfigError("the fork server needs Linux; on this machine; set CLICKWRIGHT_FORK_SERVER=false")
    settings = get_settings()
    began = time.perf_counter()
    preload(PRELOADED)
    listener = bind_private(settings.var / "run", SOCKET)
    log.info("serving", loaded=len(PRELOADED), seconds=round(time.perf_counter() - began, 1))
    serve(listener, settings, code)


if __name__ == "__main__":
    raise SystemExit(run_command(main))
