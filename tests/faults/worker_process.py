"""Forked children of a process that has imported everything: a restart takes milliseconds, not seconds."""

import os
import signal
from collections.abc import Callable
from pathlib import Path


class WorkerProcess:
    """A forked process that runs a function; the function's message is left in a file."""

    def __init__(self, run: Callable[[], tuple[int, str]], report: Path) -> None:
        self.report = report
        report.unlink(missing_ok=True)
        self.status: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                code, said = run()
                report.write_text(said)
            finally:
                os._exit(code)

    def ended(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        return self.status is not None

    def wait(self) -> int:
        """The exit code; the negative signal number after a kill."""
        if self.status is None:
            _, self.status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(self.status)

    def kill(self) -> int:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    @property
    def said(self) -> str:
        return self.report.read_text() if self.report.exists() else ""
