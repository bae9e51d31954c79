"""The protocol of the checkpoint store that a training writes to and resumes from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Checkpoints(Protocol):
    """The checkpoints of one fit, each a folder ``checkpoint-<step>``."""

    def fetch(self, folder: Path) -> None:
        """Copy the stored checkpoints to ``folder``."""

    def keep(self, checkpoints: Sequence[Path]) -> None:
        """Store these checkpoints, sorted by step, and drop all others."""

    def keep_file(self, path: Path) -> None:
        """Store a file that helps to diagnose a failed fit."""

    def of(self, fit: str) -> "Checkpoints":
        """The checkpoints of one of several fits."""
