"""Lines on their way into a landing zone, and the files that a collector makes of them.

A landing zone is ``<source>/arrived=YYYY-MM-DDTHH/<file>``: a folder holds what arrived in that hour (UTC).
An arrival day D is the hours from D 01:00 to the next 01:00, so that what comes in seconds after midnight
is not late."""

import gzip
import io
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from schemas.runtime.errors import ConfigError

HOUR = timedelta(hours=1)
LINES_A_PART = 60


@dataclass(frozen=True)
class Line:
    """One line: what happened when (``at``), and in which hour it arrives (``arrives``).

    ``text`` is written instead of the event where the line is broken. ``kind`` names a planted defect,
    ``copy_of`` the ``event_id`` that a planted duplicate repeats."""

    at: datetime
    arrives: datetime
    event: dict[str, Any]
    text: str | None = None
    kind: str | None = None
    copy_of: str | None = None

    def render(self) -> str:
        return self.text if self.text is not None else to_json(self.event)


@dataclass(frozen=True)
class Placed:
    """A line and where it came to lie: ``file`` relative to the landing zone, ``number`` from 1."""

    line: Line
    file: str
    number: int


def to_json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC, to the second, with a Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def arrival_day(hour: datetime) -> date:
    """The arrival day that an hour belongs to."""
    return (hour - HOUR).date()


def folder(source: str, hour: datetime) -> str:
    return f"{source}/arrived={hour:%Y-%m-%dT%H}"


def place(source: str, lines: Iterable[Line], lines_a_part: int = LINES_A_PART) -> list[Placed]:
    """Put lines into files, in the order in which they happened.

    A busy hour is spread over several files, as by several collectors at once.
    """
    hours: dict[datetime, list[Line]] = defaultdict(list)
    for line in lines:
        hours[line.arrives].append(line)
    placed = []
    for hour in sorted(hours):
        inside = sorted(hours[hour], key=lambda line: (line.at, line.copy_of or "", str(line.event.get("event_id"))))
        parts = -(-len(inside) // lines_a_part)
        for i, line in enumerate(inside):
            file = f"{folder(source, hour)}/part-{i % parts:03d}.jsonl.gz"
            placed.append(Placed(line, file, i // parts + 1))
    return placed


def compress(lines: Iterable[str]) -> bytes:
    """Gzip without a name or a time in it, so that the same lines give the same bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
    return buffer.getvalue()


def write_new(root: Path, files: dict[str, bytes], sources: Iterable[str]) -> int:
    """Write files below ``root``; those that are there with the same content stay untouched.

    Returns:
        How many were written.

    Raises:
        ConfigError: a folder of these sources holds something else. Nothing is written then.
    """
    there = {p.relative_to(root).as_posix() for s in sources for p in (root / s).rglob("*") if p.is_file()}
    strange = sorted(there - files.keys()) + [f for f in sorted(there & files.keys()) if (root / f).read_bytes() != files[f]]
    if strange:
        raise ConfigError(
            f"the landing zone holds other lines than these ({len(strange)} files, such as {strange[0]}); "
            f"in {root}; name another folder with --landing, or clear it with `make clean`"
        )
    missing = sorted(files.keys() - there)
    for name in missing:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.part")
        fresh.write_bytes(files[name])
        fresh.replace(path)  # a job never sees half a file
    return len(missing)
