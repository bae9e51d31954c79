"""Things that take long to make are made by one worker of ``pytest -n`` and read by all."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(temporary: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder of this run of the tests; the first worker that asks for it makes it, the others wait.

    Args:
        temporary: pytest's temporary folders; those of the workers lie in one folder.
        name: name of the folder.
        make: fills an empty folder.
    """
    ours = temporary.getbasetemp()
    folder = (ours.parent if "PYTEST_XDIST_WORKER" in os.environ else ours) / name
    with FileLock(f"{folder}.lock"):
        if not (made := folder / "made").exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            made.touch()
    return folder
