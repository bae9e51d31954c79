"""The meter counts the processor seconds of processes that live, that ended, and that nobody waited for."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from local.stack.meter import Meter
from schemas.runtime.processor_time import ignores_children

pytestmark = pytest.mark.slow
BURN = "import time\nwhile time.process_time() < {}: pass\n"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN.format(0.8)!r}])\n"


def test_children_that_ended_count() -> None:
    script = PARENT + "import time; time.sleep(60)"
    assert 0.75 < measured(script, 1) < 2


def test_children_nobody_waits_for_count() -> None:
    script = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        f"if os.fork() == 0:\n    exec({BURN.format(1.5)!r})\n    os._exit(0)\n"
        "time.sleep(60)\n"
    )
    assert 0.9 < measured(script, 2.5) < 2.5


def test_a_process_says_whether_it_ignores_its_children() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert ignores_children(psutil.Process().pid)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert not ignores_children(psutil.Process().pid)


def measured(script: str, seconds: float) -> float:
    """The processor seconds of a process and its children, which burn some time and are over when only it sleeps."""
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        head = psutil.Process(process.pid)
        with Meter(lambda: {"head": process.pid}) as meter:
            time.sleep(seconds)
            while any(child.status() != psutil.STATUS_ZOMBIE for child in head.children()):
                time.sleep(0.1)
        process.kill()
    return meter.total
