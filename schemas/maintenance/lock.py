"""The lock between maintenance and erasures on one machine."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.runtime.settings import get_settings


@contextmanager
def maintenance_lock() -> Iterator[None]:
    """Hold the lock for the block. Maintenance tasks and erasures of this machine wait for it; jobs and readers do not."""
    path = get_settings().lake_dir / "keep.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
