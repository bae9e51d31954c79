"""Client of the fork server: it runs a command in a process that begins with the libraries loaded.

Most of the time of a short command passes in imports. The fork server (`local.stack.fork_server`) has loaded the libraries
once, and forks a process for each command (fork(2)). Only commands of the same user, in the same environment, are forked; a
caller whose request is refused starts the command by itself, with the same result.

A request is a length, a JSON object, and the file descriptor that gets the command's output (unix(7), ``SCM_RIGHTS``). The
answers are JSON lines: the id of the process, or the reason of a refusal; then the exit code. A command ends with the
connection: when the caller ends, in any way, the command and its children are ended too.
"""

import errno
import json
import os
import signal
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, TextIO

SOCKET = "fork-server.sock"
"""The name of the server's socket in the folder ``<var>/run``."""
LENGTH = struct.Struct("!Q")
CREDENTIALS = struct.Struct("3i")
"""The process, user and group of a peer (unix(7), ``SO_PEERCRED``)."""
ANSWERS_WITHIN_S = 90.0
"""A first Spark command waits for the start of Spark."""
FREE = (
    *("AIRFLOW", "_AIRFLOW", "CLICKWRIGHT_", "AWS_", "PYTHONPATH=", "PWD=", "OLDPWD=", "SHLVL=", "_="),
    *("TERM=", "SSH_", "LS_COLORS=", "COLUMNS=", "LINES=", "DISPLAY=", "XDG_"),
)
"""Variables that may differ between the server and a command (the beginnings of ``NAME=``): no library reads them when it is
imported, and commands get the values of their caller."""


class NotForkedError(Exception):
    """The fork server cannot run the command; the message gives the reason."""


class ForkedCommand:
    """A command that runs below the fork server, with the interface of ``subprocess.Popen``."""

    def __init__(self, connection: socket.socket, stdout: TextIO) -> None:
        self.stdout = stdout
        self.returncode: int | None = None
        self._connection = connection
        self._answers = connection.makefile("r", encoding="utf-8")
        first = self._answer(ANSWERS_WITHIN_S)
        if "pid" not in first:
            raise NotForkedError(first.get("refused", "the fork server gave no answer"))
        self.pid = int(first["pid"])

    def poll(self) -> int | None:
        """The exit code, or None while the command runs."""
        with suppress(TimeoutExpired):
            self.wait(0.001)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the command.

        Args:
            timeout: seconds to wait; default: without end.

        Returns:
            The exit code; negative if a signal ended the command.

        Raises:
            TimeoutExpired: the command still runs.
        """
        if self.returncode is None:
            answer = self._answer(timeout)
            self.returncode = answer.get("exit", -signal.SIGKILL)  # without an answer: the server's process was killed
        return self.returncode

    def _answer(self, timeout: float | None) -> dict[str, Any]:
        self._connection.settimeout(timeout)
        try:
            line = self._answers.readline()
        except TimeoutError:
            # A timeout leaves the reader unusable; nothing of a line was read, as answers are written at once.
            self._answers = self._connection.makefile("r", encoding="utf-8")
            raise TimeoutExpired("command", timeout or 0) from None
        except OSError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {}
        return answer


def fork_command(
    run_dir: Path, module: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, spark: str | None = None
) -> ForkedCommand:
    """Run ``python -m module arguments`` below the fork server.

    Args:
        run_dir: the folder of the server's socket.
        module: the module.
        arguments: its arguments.
        environment: the command's environment.
        folder: its working directory.
        spark: the Spark master of a command that uses Spark.

    Raises:
        NotForkedError: there is no server, or it refuses the command: start it by itself.
    """
    request = {
        "module": module,
        "arguments": list(arguments),
        "environment": dict(environment),
        "folder": str(folder),
        "spark": spark,
    }
    try:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with socket_name(run_dir, SOCKET) as name:
            connection.connect(name)
    except OSError as error:
        raise NotForkedError(f"no fork server answers ({error.strerror})") from None
    if peer(connection) != os.getuid():
        raise NotForkedError("the fork server belongs to another user")
    reading, writing = os.pipe()
    stdout = os.fdopen(reading, "r", encoding="utf-8", errors="backslashreplace")
    try:
        try:
            body = json.dumps(request).encode()
            socket.send_fds(connection, [LENGTH.pack(len(body))], [writing])
            connection.sendall(body)
        finally:
            os.close(writing)
        return ForkedCommand(connection, stdout)
    except (OSError, TimeoutExpired, NotForkedError) as error:
        connection.close()  # a server that reads the request later sees that nobody waits for it
        stdout.close()
        if isinstance(error, NotForkedError):
            raise
        raise NotForkedError(f"the fork server does not answer ({type(error).__name__})") from None


@contextmanager
def socket_name(folder: Path, name: str) -> Iterator[str]:
    """A name for a socket in a folder that is short enough for unix(7), whatever the folder's.

    Args:
        folder: the folder.
        name: the socket's name in it.
    """
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


def bind_private(folder: Path, name: str) -> socket.socket:
    """A listening socket in a folder, which only its owner may use.

    Args:
        folder: the folder; made if it is missing.
        name: the socket's name; an old socket of that name is replaced.

    Raises:
        FileExistsError: a program listens on it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with socket_name(folder, name) as path:
        if _listens(path):
            raise FileExistsError(errno.EEXIST, "a program listens already", str(folder / name))
        (folder / name).unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(before)
    listener.listen(64)
    return listener


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(path) == 0


def peer(connection: socket.socket) -> int:
    """The id of the user at the other end of a connection."""
    _, user, _ = CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
    return int(user)


def differing(environment: Mapping[str, str], other: Mapping[str, str], free_too: tuple[str, ...] = ()) -> list[str]:
    """The names of the variables that differ and that libraries may read when they are imported.

    >>> differing({"OMP_NUM_THREADS": "1", "AIRFLOW_CTX_DAG_ID": "a"}, {"PWD": "/"})
    ['OMP_NUM_THREADS']

    Args:
        environment: one environment.
        other: the other one.
        free_too: the beginnings of names that count although commands may differ in them.
    """
    names = {name for name in {*environment, *other} if environment.get(name) != other.get(name)}
    return sorted(name for name in names if name.startswith(free_too) or not f"{name}=".startswith(FREE))
