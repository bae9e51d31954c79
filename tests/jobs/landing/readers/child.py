"""Reads a file in a process of its own, whose memory can be measured."""

import resource
import time
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

from jobs.landing.readers import read
from tests.jobs.landing.readers.conftest import WANTED, shop
from tests.schemas.processes import CONTEXT


def peak() -> int:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def read_and_tell(path: Path, form: str, said: "SimpleQueue[Any]") -> None:
    before, began = peak(), time.process_time()
    rows = [row for frame in read(path, shop(format=form), WANTED) for row in frame.select("line_number", "problem").rows()]
    said.put((rows[:3], time.process_time() - began, peak() - before))


def read_in_child(path: Path, form: str = "json_lines") -> tuple[list[tuple[int, str]], float, int]:
    """The first rows of a file read by a process of its own, its processor seconds, and by how many MiB its memory grew."""
    said = CONTEXT.SimpleQueue()
    process = CONTEXT.Process(target=read_and_tell, args=(path, form, said))
    process.start()
    process.join(120)
    assert process.exitcode == 0
    found: tuple[list[tuple[int, str]], float, int] = said.get()
    return found
