"""What a command and everything that it starts cost: processor time, wall time, peak memory.

Processor time is what the kernel accounts to a control group that holds the command and all its descendants. So processes that
end unwatched are counted too: Spark's Python workers are such, as their parent ignores how they end, and ``getrusage`` misses
them. Where no control group can be made, it is each process's time as last sampled, or what ``getrusage`` says if that is more.
Peak memory is the largest sum of the proportional set sizes (PSS: shared pages once) of all these processes, as sampled.
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
    """Of one run. ``cpu_by`` says how processor time was measured, ``stopped`` why it was ended, if it was."""

    exit_code: int
    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    cpu_by: str
    output: str
    stopped: str | None = None


@dataclass
class Samples:
    """Of a process tree, while it runs."""

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
    """A control group for one run, of either version; or none."""

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
        """Called in the command's process before it starts."""
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
    """Run a command on some cores, in an environment of its own, until it and all its descendants have ended.

    Args:
        command: what to run.
        environment: all of its variables.
        cores: how many processors it may use.
        log: where its standard error goes.
        limit: seconds after which it is stopped.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphans become ours, so that they stay in the tree
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
        while root.children():  # what outlives the command ends soon after it
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
