"""The lock by which maintenance and erasures of one machine take turns."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.runtime.settings import get_settings


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Duties and erasures wait for each other on this machine; jobs and readers wait for none of them."""
    path = get_settings().lake_dir / "keep.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
