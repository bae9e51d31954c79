"""Waiting for what other processes do."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], seconds: float = 60) -> T:
    """What ``look`` finds, once it is something; it looks again and again, for so long at most."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing after {seconds:.0f} seconds"
        time.sleep(0.1)
    return found
