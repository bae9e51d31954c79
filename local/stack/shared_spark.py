"""A Spark on this machine that several commands use, one after another or at once, without waiting for its start.

One process, forked from the fork server, starts Spark's Java and holds it. A command connects to the same Java with its address
and its secret, as PySpark does under ``spark-submit``, and has a Spark session of its own (`schemas.spark.shared`). The process
counts the commands by their connections. It cancels the Spark jobs of a command that has gone, and ends Spark when no command
has used it for a while, or after many commands, because each leaves small objects in Java.
"""

import json
import os
import select
import signal
import socket
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from py4j.protocol import Py4JError  # type: ignore[import-untyped]

from schemas.runtime.cli import log
from schemas.runtime.fork_client import bind_private, peer, socket_name
from schemas.runtime.local_processes import end_with_parent
from schemas.runtime.settings import Settings
from schemas.spark.shared import JOB_GROUP

SOCKET = "spark.sock"
STARTS_WITHIN_S = 60.0
IDLE_S = 25 * 3600.0
"""More than a day, so that a daily run finds it started."""
MOST_COMMANDS = 100
HOLDER = "_FORK_SERVER_HOLDER"
"""The variable with the id of the holding process, for a server that begins again with changed code."""
ASKS_WITHIN_S = 5.0
PROPERTIES = {
    "spark.scheduler.mode": "FAIR",
    # Files between the stages of a query go with the query: this Spark outlives it.
    "spark.sql.classic.shuffleDependency.fileCleanup.enabled": "true",
}


@dataclass(frozen=True)
class Attached:
    """The use of the shared Spark by one command, which lasts as long as the connection."""

    connection: socket.socket
    environment: dict[str, str]


class SharedSpark:
    """The server's view of the process that holds Spark."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.run_dir: Path = settings.var / "run"
        kept = os.environ.pop(HOLDER, "")
        self.holder = int(kept) if kept and Path("/proc", kept).exists() else None

    def kept(self) -> dict[str, str]:
        """The environment by which a new image of this process keeps the holding process."""
        return {} if self.holder is None else {HOLDER: str(self.holder)}

    def reap(self) -> None:
        """Take note of ended children; called by the signal SIGCHLD."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                if ended == self.holder:
                    self.holder = None

    def ensure(self) -> None:
        """Fork the process that holds Spark, unless it runs. Does not wait for it."""
        if self.holder is None:
            (self.run_dir / SOCKET).unlink(missing_ok=True)
            me = os.getpid()
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # it must be known before it is reaped
            try:
                if (pid := os.fork()) == 0:
                    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
                    _hold(self.settings, self.run_dir, me)
                self.holder = pid
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def attach(self, is_over: Callable[[], bool]) -> Attached | None:
        """Connect to the holder, waiting for its start.

        Args:
            is_over: whether waiting has become useless.

        Returns:
            The use of Spark; None if it does not start.
        """
        deadline = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < deadline and not is_over() and self.holder is not None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(ASKS_WITHIN_S)
            with suppress(OSError), socket_name(self.run_dir, SOCKET) as name:
                connection.connect(name)
                if line := connection.makefile("r").readline():
                    return Attached(connection, json.loads(line))
            connection.close()
            if not Path(f"/proc/{self.holder}").exists():
                break
            time.sleep(0.1)
        return None


def _hold(settings: Settings, run_dir: Path, parent: int) -> NoReturn:
    """Start Spark and lend it until it is idle: the whole life of the holding process."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        end_with_parent(parent)
        os.closerange(3, 1 << 16)  # above all the output of the command that asked: its reader waits for the end of all writers
        from schemas.spark.session import end_java, spark_session

        began = time.perf_counter()
        spark = spark_session("shared", settings, PROPERTIES)
        gateway: Any = spark.sparkContext._gateway
        log.info("Spark is ready", master=settings.spark_master, seconds=round(time.perf_counter() - began, 1))
        java_lives = Lender(gateway, spark.sparkContext, bind_private(run_dir, SOCKET)).lend()
        (run_dir / SOCKET).unlink(missing_ok=True)
        if java_lives:
            spark.stop()
            end_java(gateway)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


class Lender:
    """Gives the address of a Spark to commands, and takes care of their ends.

    Args:
        gateway: PySpark's gateway to Java.
        context: the Spark context.
        listener: the socket to which commands connect.
    """

    def __init__(self, gateway: Any, context: Any, listener: socket.socket) -> None:
        self.gateway = gateway
        self.context = context
        self.listener = listener
        self.users: dict[int, tuple[socket.socket, str]] = {}
        self.lent = 0

    def lend(self) -> bool:
        """Serve until nobody has used Spark for a while, until many commands have used it, or until Java ends.

        Returns:
            Whether Java still runs.
        """
        java = os.pidfd_open(self.gateway.proc.pid)
        poll = select.poll()
        poll.register(self.listener, select.POLLIN)
        poll.register(java, select.POLLIN)
        while True:
            wait_ms = None if self.users else IDLE_S * 1000 if self.lent < MOST_COMMANDS else 0
            events = poll.poll(wait_ms)
            if not events:
                return True
            if any(descriptor == java for descriptor, _ in events):
                log.warning("Spark's Java has ended; the next command starts another one")
                return False
            for descriptor, _ in events:
                if descriptor != self.listener.fileno():
                    poll.unregister(descriptor)
                    self._end(descriptor)
                elif (connection := self._begin()) is not None:
                    poll.register(connection, select.POLLRDHUP)

    def _begin(self) -> socket.socket | None:
        connection, _ = self.listener.accept()
        if peer(connection) != os.getuid() or self.lent >= MOST_COMMANDS:
            connection.close()
            return None
        self.lent += 1
        group = f"command-{self.lent}"
        parameters = self.gateway.gateway_parameters
        environment = {
            "PYSPARK_GATEWAY_PORT": str(parameters.port),
            "PYSPARK_GATEWAY_SECRET": parameters.auth_token,
            JOB_GROUP: group,
        }
        with suppress(OSError):
            connection.sendall(json.dumps(environment).encode() + b"\n")
        self.users[connection.fileno()] = (connection, group)
        return connection

    def _end(self, descriptor: int) -> None:
        connection, group = self.users.pop(descriptor)
        connection.close()
        with suppress(Py4JError, OSError):  # Java may end at this moment
            # Of a command that was killed: nobody waits for its rows. Its query may be about to submit the next job.
            self.context._jsc.sc().cancelJobGroupAndFutureJobs(group)
