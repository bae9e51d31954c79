"""Background processes of this machine: start them, find them again, and end exactly them.

A process is identified by a file with its id and its start time: the operating system reuses ids, so the id alone may belong
to another program.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

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


class Daemons:
    """The background programs with pid files in ``run_dir`` and logs in ``log_dir``."""

    def __init__(self, run_dir: Path, log_dir: Path) -> None:
        self.run_dir = run_dir
        self.log_dir = log_dir

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
        record = json.dumps({"pid": process.pid, "created": psutil.Process(process.pid).create_time()})
        self._id_file(daemon.name).write_text(record)
        with self._sessions_file.open("a") as started:
            started.write(record + "\n")

    def find(self, name: str) -> psutil.Process | None:
        """The running process of that name, or None; removes the pid file of a process that has ended."""
        try:
            record = json.loads(self._id_file(name).read_text())
            process = psutil.Process(record["pid"])
            same = abs(process.create_time() - record["created"]) < 2
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        except FileNotFoundError:
            return None
        except (psutil.NoSuchProcess, ValueError, KeyError, TypeError):
            pass
        self._id_file(name).unlink(missing_ok=True)
        return None

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
            with suppress(psutil.Error, OSError):
                if process.pid in mine or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                since = sessions.get(os.getsid(process.pid), float("inf"))
                if process.create_time() >= since or process.environ().get(MARK) == str(self.run_dir):
                    found.append(process)
        return found

    def _sessions(self) -> dict[int, float]:
        """The sessions of all daemons started since the last stop, with their start times."""
        if not self._sessions_file.exists():
            return {}
        started = [json.loads(line) for line in self._sessions_file.read_text().splitlines()]
        return {record["pid"]: record["created"] for record in started}

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
                _send(head, "terminate")
                for child in children:
                    _send(child, "terminate")
            say(f"  {name}: sent SIGTERM")
            if "scheduler" in name:  # while the API server, which tasks report to, still runs
                psutil.wait_procs(family, timeout=grace_s)
        orphans = [process for process in self.strays() if process.pid not in ended]
        for process in orphans:  # they have no parent that would signal them
            _send(process, "terminate")
        ended |= {process.pid: process for process in orphans}
        _, alive = psutil.wait_procs(list(ended.values()), timeout=grace_s)
        # Processes started in the meantime are children of the processes that still run.
        late = {p.pid: p for p in [*(child for head in alive for child in _family(head)), *self.strays()]}
        if late:
            say(f"  {len(late)} processes still running after {grace_s:.0f} s: killed")
        for process in late.values():
            _send(process, "kill")
        psutil.wait_procs(list(late.values()), timeout=10)
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


def _send(process: psutil.Process, how: str) -> None:
    with suppress(psutil.NoSuchProcess):  # psutil checks that the id still belongs to the same process
        getattr(process, how)()


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
