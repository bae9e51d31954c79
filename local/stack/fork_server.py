"""The fork server: it has loaded the libraries, and forks a process for each command of Airflow's tasks.

``python -m local.stack.fork_server``, which ``make up`` starts. `schemas.runtime.fork_client` describes the requests.

Each command runs in a process and a session of its own, with the environment, the working directory and the output of its
caller. When this project's code changes, the server loads it anew before it forks again. It has one thread of Python, as
fork(2) copies one thread only; the threads of OpenBLAS and jemalloc, which the libraries start, survive a fork
(pthread_atfork(3)), and Polars and PyTorch make theirs when they first compute, which is after the fork. A thread with which
Polars removes files waits without a lock.
"""

import gc
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from local.stack.forked_command import handle, say
from local.stack.shared_spark import HOLDER, SharedSpark
from schemas.runtime.cli import log, parser_of, run_command
from schemas.runtime.errors import ConfigError
from schemas.runtime.fork_client import LENGTH, SOCKET, bind_private, differing, peer
from schemas.runtime.local_files import CODE, code_state
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
READS_WITHIN_S = 2.0
LONGEST_REQUEST = 16 << 20
SPARK_READS = ("CLICKWRIGHT_SPARK_", "AWS_")
"""Variables that Spark's Java and its workers read."""


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


def serve(listener: socket.socket, settings: Settings, code: Sequence[Path], loaded: str) -> NoReturn:
    """Fork a handler for each connection, without end.

    Args:
        listener: the server's socket.
        settings: the settings; they give the Spark master.
        code: the folders of the code; when a file in them changes, the server loads all anew.
        loaded: the state of the code that the server has loaded.
    """
    spark = SharedSpark(settings)
    signal.signal(signal.SIGCHLD, lambda *_: spark.reap())  # not SIG_IGN, with which the processor time of children is lost
    while True:
        connection, _ = listener.accept()
        outputs: list[int] = []
        try:
            request = _read(connection, outputs)
            if code_state(code) != loaded:
                _load_anew(connection, spark)
            refusal = _refusal(connection, request, settings)
            if refusal is None and request["module"].startswith("ml."):
                preload(PRELOADED_FOR_MODELS)
            if refusal is None and request["spark"]:
                spark.ensure()
            if refusal is None and os.fork() == 0:
                listener.close()
                handle(connection, request, outputs[0], spark)
        except Exception as error:  # a request must not end the server, on which the Spark jobs of others depend
            refusal = f"the request cannot be served ({type(error).__name__})"
        if refusal is not None:
            log.info("not forked", reason=refusal)
            say(connection, refused=refusal)
        connection.close()
        for output in outputs:
            os.close(output)


def _read(connection: socket.socket, outputs: list[int]) -> dict[str, Any]:
    """The request; the descriptor of the command's output is added to ``outputs``.

    Raises:
        ValueError: the message is not a request.
        OSError: the caller has gone, or sends too slowly.
    """
    connection.settimeout(READS_WITHIN_S)
    head, descriptors, _, _ = socket.recv_fds(connection, LENGTH.size, 1, socket.MSG_CMSG_CLOEXEC)
    outputs += descriptors
    with connection.makefile("rb") as rest:
        head += rest.read(LENGTH.size - len(head))
        if len(head) < LENGTH.size or (length := LENGTH.unpack(head)[0]) > LONGEST_REQUEST or len(outputs) != 1:
            raise ValueError("not a request")
        body = rest.read(length)
    connection.settimeout(None)
    request: dict[str, Any] = json.loads(body)
    return request


def _load_anew(connection: socket.socket, spark: SharedSpark) -> NoReturn:
    """Refuse a request, and begin again in the same process; its commands go on, as children of the same process."""
    say(connection, refused="the code has changed; the server loads it")
    log.info("the code has changed")
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], _first_environment() | spark.kept())


def _refusal(connection: socket.socket, request: dict[str, Any], settings: Settings) -> str | None:
    """Why a request must be started by itself; None if it can be forked."""
    if peer(connection) != os.getuid():
        return "another user asks"
    if names := differing(request["environment"], _first_environment()):
        return f"the environment differs: {', '.join(names[:5])}"
    if not request["spark"]:
        return None
    if request["spark"] != settings.spark_master:
        return f"the server's Spark master is {settings.spark_master}"
    if names := differing(request["environment"], _first_environment(), free_too=SPARK_READS):
        return f"Spark was started with another value of {', '.join(names)}"
    return None


@cache
def _first_environment() -> dict[str, str]:
    """The environment that this process began with: libraries add variables of their own when they are imported."""
    pairs = (os.fsdecode(line).partition("=") for line in Path("/proc/self/environ").read_bytes().split(b"\0") if line)
    return {name: value for name, _, value in pairs if name != HOLDER}


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
    began, loaded = time.perf_counter(), code_state(code)
    preload(PRELOADED)
    listener = bind_private(settings.var / "run", SOCKET)
    log.info("serving", loaded=len(PRELOADED), seconds=round(time.perf_counter() - began, 1))
    serve(listener, settings, code, loaded)


if __name__ == "__main__":
    raise SystemExit(run_command(main))
