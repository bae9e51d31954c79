"""The protocol of checkpoints that a recipe's training writes to and resumes from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Checkpoints(Protocol):
    """A place for one fit. A checkpoint is a folder ``checkpoint-<step>``."""

    def fetch(self, folder: Path) -> None:
        """Bring what is kept to ``folder``."""

    def keep(self, checkpoints: Sequence[Path]) -> None:
        """From now on these are kept, by step, and no others."""

    def keep_file(self, path: Path) -> None:
        """Keep a file for whoever looks why a fit failed."""

    def of(self, fit: str) -> "Checkpoints":
        """Those of one of the fits."""
