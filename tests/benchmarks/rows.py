"""The measurements as rows of ``var/bench.json``: each is written immediately, and none is repeated."""

import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from schemas.runtime.local_files import write_atomically
from tests.benchmarks.registry import CLICKWRIGHT

COMPARE, START_UP, GROWTH, SKEW = "compare", "start-up", "growth", "skew"
PUBLISH, PLAN = "publish", "plan"
"""Costs of the lake; here ``events`` is the number of files or partitions."""


@dataclass
class Row:
    """One measurement. ``ratio`` is its processor time divided by Clickwright's median on the same input."""

    what: str
    engine: str
    events: int
    round: int
    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    peak_mb: float | None = None
    ratio: float | None = None
    failed: str | None = None
    checked: str | None = None
    cpu_by: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, int, int]:
        return self.what, self.engine, self.events, self.round


class Book:
    """All measurements in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = [Row(**row) for row in json.loads(path.read_text())] if path.exists() else []

    def has(self, row: Row) -> bool:
        return any(known.key == row.key for known in self.rows)

    def add(self, row: Row) -> None:
        self.rows.append(row)
        for other in self.rows:
            ours = [r.cpu_seconds for r in self.of(other.what, CLICKWRIGHT.name, other.events) if r.cpu_seconds]
            if ours and other.cpu_seconds:
                other.ratio = round(other.cpu_seconds / statistics.median(ours), 2)
        write_atomically(self.path, json.dumps([asdict(r) for r in self.rows], indent=1) + "\n")

    def of(self, what: str, engine: str | None = None, events: int | None = None) -> list[Row]:
        """The measurements of one kind.

        Args:
            what: the kind, such as ``compare``.
            engine: the name of the engine; None for all.
            events: the number of events; None for all.
        """
        return [r for r in self.rows if r.what == what and engine in (None, r.engine) and events in (None, r.events)]
