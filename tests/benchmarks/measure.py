"""The cost of a command and all its descendants: processor time, wall time, peak memory.

A control group holds the command and its descendants, and the kernel accounts their processor time. So processes that nobody
waits for are counted too: Spark's Python workers, for example, which ``getrusage`` misses. If no control group can be created,
the processor time is the larger of the sampled times of all processes and ``getrusage``. Peak memory is the largest sampled sum
of the proportional set sizes (PSS: shared pages count once) of all these processes.
"""

import contextlib
import ctypes
import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.1
PR_SET_CHILD_SUBREAPER = 36
ROOTS = (Path("/sys/fs/cgroup/cpuacct"), Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))


@dataclass(frozen=True)
class Cost:
    """The cost of one run. ``cpu_by``: how processor time was measured; ``stopped``: why the run was stopped, or None."""

    exit_code: int
    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    cpu_by: str
    output: str
    stopped: str | None = None


@dataclass
class Samples:
    """Samples of a running process tree."""

    peak: int = 0
    cpu: dict[tuple[int, float], float] = field(default_factory=dict)

    def take(self, root: psutil.Process) -> None:
        memory = 0
        with contextlib.suppress(psutil.Error):
            for process in root.children(recursive=True):
                with contextlib.suppress(psutil.Error, OSError):
                    times = process.cpu_times()
                    self.cpu[process.pid, process.create_time()] = times.user + times.system
                    memory += pss(process.pid)
        self.peak = max(self.peak, memory)


def pss(pid: int) -> int:
    """The proportional set size of a process, in bytes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


class Group:
    """A control group (version 1 or 2) for one run, if one can be created."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.usage = ""
        for root in ROOTS:
            folder = root / f"clickwright-bench-{os.getpid()}-{time.monotonic_ns()}"
            with contextlib.suppress(OSError):
                folder.mkdir()
                self.usage = next((n for n in ("cpuacct.usage", "cpu.stat") if (folder / n).exists()), "")
                if self.usage and (folder / "cgroup.procs").exists():
                    self.folder = folder
                    return
                folder.rmdir()

    def enter(self) -> None:
        """Move the calling process, which then starts the command, into the group."""
        if self.folder is not None:
            (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def cpu_seconds(self) -> float:
        assert self.folder is not None
        text = (self.folder / self.usage).read_text()
        return int(text) / 1e9 if self.usage == "cpuacct.usage" else int(text.split()[1]) / 1e6

    def remove(self) -> None:
        for _ in range(50):
            if self.folder is None or not self.folder.exists():
                return
            with contextlib.suppress(OSError):
                self.folder.rmdir()
            time.sleep(0.1)


def measure(command: Sequence[str], environment: Mapping[str, str], cores: int, log: Path, limit: float) -> Cost:
    """Run a command until it and all its descendants have ended.

    Args:
        command: the command.
        environment: all its environment variables.
        cores: the number of processors that it may use.
        log: the file for its standard error.
        limit: the time limit in seconds.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphans become children of this process, so that they stay in the tree
    group, samples, root = Group(), Samples(), psutil.Process()
    allowed = sorted(os.sched_getaffinity(0))[:cores]

    def before() -> None:
        os.sched_setaffinity(0, allowed)
        group.enter()

    used, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with log.open("wb") as errors, log.with_suffix(".out").open("wb") as out:
        process = subprocess.Popen(command, env=dict(environment), stdout=out, stderr=errors, preexec_fn=before)
        while process.poll() is None:
            samples.take(root)
            if time.monotonic() - start > limit:
                for child in root.children(recursive=True):
                    child.kill()
            time.sleep(SAMPLE_SECONDS)
        wall = time.monotonic() - start
        while root.children():  # processes that outlive the command end soon after it
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
            time.sleep(SAMPLE_SECONDS / 10)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    waited = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    cpu = group.cpu_seconds() if group.folder else max(waited, sum(samples.cpu.values()))
    by = "control group" if group.folder else "samples and getrusage"
    group.remove()
    output = log.with_suffix(".out").read_text()
    stopped = f"not done after {limit:.0f} seconds" if wall > limit else None
    return Cost(process.returncode, round(cpu, 2), round(wall, 2), round(samples.peak / 1e6), by, output, stopped)
