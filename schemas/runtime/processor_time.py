"""Processor seconds of processes and of everything below them, on Linux (proc_pid_stat(5)).

The kernel adds the time of a child to its parent when the parent has waited for it, so the sum over the living processes of a
tree holds nearly all. Children of a process that ignores SIGCHLD are the exception: nobody waits for them.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

PARENT, USER = 1, 11
"""Indexes of the parent and of the first of four times (user, system, and both of children) after a process's name."""
SIGCHLD_BIT = 1 << 16


def total(processes: Mapping[int, tuple[float, int]]) -> float:
    """The sum of the seconds that :func:`tree` returns.

    >>> total({7: (1.5, 1), 8: (2.0, 7)}), total(tree([os.getpid()])) > 0
    (3.5, True)
    """
    return sum(seconds for seconds, _ in processes.values())


def tree(heads: Iterable[int]) -> dict[int, tuple[float, int]]:
    """Processor seconds (with those of children that were waited for) and parent of each living process of some trees.

    Args:
        heads: ids of processes.
    """
    processes: dict[int, tuple[float, int]] = {}
    below: dict[int, list[int]] = {}
    tick = os.sysconf("SC_CLK_TCK")
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            parent = int(fields[PARENT])
            processes[int(folder.name)] = (sum(map(int, fields[USER : USER + 4])) / tick, parent)
            below.setdefault(parent, []).append(int(folder.name))
    found: dict[int, tuple[float, int]] = {}
    waiting = [pid for pid in heads if pid in processes]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found[pid] = processes[pid]
            waiting += below.get(pid, ())
    return found


def ignores_children(pid: int) -> bool:
    """Whether a process ignores SIGCHLD, so that the kernel drops the processor time of its children."""
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return bool(int(next(line.split()[1] for line in lines if line.startswith("SigIgn:")), 16) & SIGCHLD_BIT)
    return False
