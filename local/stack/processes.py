"""Background processes of this machine: start them, find them again, and end exactly them.

A process is identified by a file with its id and its start time: the operating system reuses ids, so the id alone may belong
to another program. The start time is that of `/proc/<pid>/stat`, in ticks since the machine started, so setting the clock does
not change it; and signals go through a file descriptor of the process (pidfd_open(2)), which cannot come to mean another one.

A full disk or a line that was cut off must not end the keeper, or make `make down` forget a program: what cannot be read is
left out, and the mark in a program's environment finds it all the same.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from schemas.runtime.cli import STARTED
from schemas.runtime.local_files import write_atomically

MARK = "_CLICKWRIGHT_SERVICES"
"""Environment variable that all processes started here inherit; it identifies processes whose parent has ended."""
PRIVATE = 0o077
"""The umask of the programs: their files are readable by their owner only."""


@dataclass(frozen=True)
class Daemon:
    """A background program: its name, which also names its files; its command; its extra variables."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same id."""

    pid: int
    boot: str
    ticks: int

    def process(self) -> psutil.Process | None:
        """The process, if it still runs."""
        with suppress(psutil.Error, OSError, ValueError):
            process = psutil.Process(self.pid)
            if self.runs() and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None

    def runs(self) -> bool:
        """Whether the id still belongs to this process, or to nobody."""
        return self.boot == boot_id() and start_ticks(self.pid) == self.ticks


def boot_id() -> str:
    """The id of the machine's present run."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_ticks(pid: int) -> int:
    """When a process started, in clock ticks since the machine started (field 22 of proc_pid_stat(5)).

    Raises:
        OSError: there is no such process.
    """
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[STARTED])


def read_identity(line: str) -> Identity | None:
    """The identity that a line holds; None if it was cut off or is something else.

    >>> read_identity('{"pid": 7, "boot": "b", "ticks": 5}')
    Identity(pid=7, boot='b', ticks=5)
    >>> read_identity('{"pid": 7, "boo') is None, read_identity("[1]") is None, read_identity('{"pid": "7"}') is None
    (True, True, True)
    """
    try:
        found = json.loads(line)
        identity = Identity(found["pid"], found["boot"], found["ticks"])
    except (ValueError, KeyError, TypeError):
        return None
    numbers = all(type(number) is int and number > 0 for number in (identity.pid, identity.ticks))
    return identity if numbers and isinstance(identity.boot, str) else None


def _belongs(pid: int, session: int, head: Identity | None) -> bool:
    """Whether a process is in the session that a daemon began, and not in a later one with the same id.

    Args:
        pid: the process.
        session: the id of its session: that of the process that began it.
        head: the daemon with that id, None without one.
    """
    if head is None or head.boot != boot_id():
        return False
    if Path(f"/proc/{session}").exists() and not head.runs():
        return False  # the id was reused; whoever has it now began a session of its own
    return start_ticks(pid) >= head.ticks


class Daemons:
    """The background programs with pid files in ``run_dir`` and logs in ``log_dir``."""

    def __init__(self, run_dir: Path, log_dir: Path) -> None:
        self.run_dir = run_dir
        self.log_dir = log_dir
        self._started: dict[str, Identity] = {}
        """What this process started: the keeper knows it even if the disk was too full for the pid file."""

    def log_file(self, name: str) -> Path:
        return self.log_dir / f"{name}.log"

    @property
    def _sessions_file(self) -> Path:
        """All daemons started since the last stop, including those that were killed and restarted."""
        return self.run_dir / "sessions.jsonl"

    def _id_file(self, name: str) -> Path:
        return self.run_dir / f"{name}.pid"

    def start(self, daemon: Daemon, env: Mapping[str, str], cwd: Path) -> None:
        """Start a daemon in a separate session, so that closing the terminal does not end it.

        Args:
            daemon: the program.
            env: its environment, apart from its own variables.
            cwd: its working directory.
        """
        for folder in (self.run_dir, self.log_dir):
            folder.mkdir(parents=True, exist_ok=True)
        with self.log_file(daemon.name).open("ab") as log:
            process = subprocess.Popen(
                daemon.command,
                cwd=cwd,
                env={**env, **daemon.env, MARK: str(self.run_dir)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=PRIVATE,
            )
        # It runs; if the disk is too full to say so, its mark finds it again.
        self._started[daemon.name] = Identity(process.pid, boot_id(), start_ticks(process.pid))
        record = json.dumps(vars(self._started[daemon.name]))
        with suppress(OSError):
            write_atomically(self._id_file(daemon.name), record)
        with suppress(OSError), self._sessions_file.open("a") as started:
            started.write(f"\n{record}\n")  # on a line of its own, even after one that was cut off

    def find(self, name: str) -> psutil.Process | None:
        """The running process of that name, or None; removes the pid file of a process that has ended."""
        file = self._id_file(name)
        try:
            if (identity := read_identity(file.read_text())) is not None and (process := identity.process()) is not None:
                return process
            file.unlink(missing_ok=True)
        except (OSError, ValueError):  # it cannot be read now, or is not text
            pass
        started = self._started.get(name)
        return None if started is None else started.process()

    def strays(self) -> list[psutil.Process]:
        """All processes with the mark of this folder or in the session of one of its daemons, even without a parent.

        Both are needed: a process that renames itself, like Airflow's workers, loses the mark; a process that starts a new
        session, like tasks, keeps it.
        """
        me = psutil.Process()
        mine = {me.pid, *(parent.pid for parent in me.parents())}
        sessions = self._sessions()
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError, ValueError):
                if process.pid in mine or process.uids().real != os.getuid() or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                session = os.getsid(process.pid)
                if process.environ().get(MARK) == str(self.run_dir) or _belongs(process.pid, session, sessions.get(session)):
                    found.append(process)
        return found

    def _sessions(self) -> "dict[int, Identity]":
        """The sessions of all daemons started since the last stop; lines that cannot be read are left out."""
        try:
            lines = self._sessions_file.read_text(errors="replace").splitlines()
        except OSError:
            return {}
        started = [identity for line in lines if (identity := read_identity(line)) is not None]
        return {identity.pid: identity for identity in started}

    def stop(self, names: Iterable[str], *, grace_s: float, say: Callable[[str], None]) -> int:
        """End daemons and all processes that they started. Returns the number of processes ended.

        Each process gets SIGTERM, and SIGKILL if it still runs after ``grace_s`` seconds. The children of a daemon are
        listed before it ends, because they lose their parent then.

        Args:
            names: the daemons, in the order in which to end them.
            grace_s: seconds between the two signals.
            say: receives the progress messages.
        """
        names = list(names)
        ended: dict[int, psutil.Process] = {}
        for name in names:
            if (head := self.find(name)) is None:
                continue
            family = _family(head)
            ended |= {process.pid: process for process in family}
            with suppress(psutil.NoSuchProcess):
                # Airflow's scheduler waits for running tasks. Its workers pass the signal on to them: each task
                # ends its command, is reported, and is retried after the next start.
                children = head.children()
                _send(head, signal.SIGTERM)
                for child in children:
                    _send(child, signal.SIGTERM)
            say(f"  {name}: sent SIGTERM")
            if "scheduler" in name:  # while the API server, which tasks report to, still runs
                psutil.wait_procs(family, timeout=grace_s)
        orphans = [process for process in self.strays() if process.pid not in ended]
        for process in orphans:  # they have no parent that would signal them
            _send(process, signal.SIGTERM)
        ended |= {process.pid: process for process in orphans}
        _, alive = psutil.wait_procs(list(ended.values()), timeout=grace_s)
        # Processes started in the meantime are children of the processes that still run.
        late = {p.pid: p for p in [*(child for head in alive for child in _family(head)), *self.strays()]}
        if late:
            say(f"  {len(late)} processes still running after {grace_s:.0f} s: killed")
        for process in late.values():
            _send(process, signal.SIGKILL)
        psutil.wait_procs(list(late.values()), timeout=10)
        with suppress(OSError):
            for name in names:
                self._id_file(name).unlink(missing_ok=True)
            if not any(self.run_dir.glob("*.pid")):
                self._sessions_file.unlink(missing_ok=True)
        return len(ended | late)

    def last_words(self, name: str) -> str:
        """The last line of a daemon's log that is not blank."""
        with suppress(OSError):
            lines = self.log_file(name).read_text(errors="replace").splitlines()
            return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
        return "nothing"


def _family(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def _send(process: psutil.Process, number: signal.Signals) -> None:
    """Send a signal to exactly this process, if it still runs."""
    with suppress(psutil.Error, OSError):
        descriptor = os.pidfd_open(process.pid)
        try:
            if process.is_running():  # by its start time; from here on the descriptor means this process and no other
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


def port_in_use(host: str, port: int) -> str | None:
    """The program that listens on a port, as far as this user may see it; None if the port is free.

    Args:
        host: the address.
        port: the port.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            return "no program, but this user may not open it"
        except OSError:
            pass
        else:
            return None
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()}, process {connection.pid}"
    return "another program"


class Progress:
    """Shows progress: one changing line on a terminal, otherwise a line for each change."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._said = ""

    def say(self, text: str) -> None:
        if text == self._said:
            return
        self._said = text
        line = f"{self.seconds:4.0f} s  {text}"
        if sys.stdout.isatty():
            print(f"\r\x1b[K{line}", end="", flush=True)
        else:
            print(line, flush=True)

    def done(self) -> None:
        if sys.stdout.isatty():
            print("\r\x1b[K", end="", flush=True)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began


def run_logged(command: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a command that ends by itself, with its output appended to a log file.

    Args:
        command: the command.
        env: its environment.
        cwd: its working directory.
        log: the log file.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            command, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, umask=PRIVATE
        )


def inherited_environment() -> dict[str, str]:
    """This process's environment, with this machine added to NO_PROXY."""
    hosts = [host for host in os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")).split(",") if host]
    here = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))
    return {**os.environ, "NO_PROXY": here, "no_proxy": here}
