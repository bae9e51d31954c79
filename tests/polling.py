"""Waiting for what other processes do."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")


def until(look: Callable[[], T], seconds: float = 60) -> T:
    """What ``look`` finds, once it is something; it looks again and again, for so long at most."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing after {seconds:.0f} seconds"
        time.sleep(0.1)
    return found


def wait_for(path: Path) -> str:
    """The content of a file, once it has some."""
    return until(lambda: path.read_text() if path.exists() else "")


def gone(process: psutil.Process) -> bool:
    """Whether a process has ended, or does so in a moment."""
    psutil.wait_procs([process], timeout=15)
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
