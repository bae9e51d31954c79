"""Lines of a landing zone, and the files that hold them.

A landing zone has the layout ``<source>/arrived=YYYY-MM-DDTHH/<file>``: a folder holds the lines that arrived in that hour
(UTC). Arrival day D is from D 01:00 to the next 01:00, so that lines that arrive just after midnight are not late.
"""

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
    """One line: its event with its time (``at``), and the hour of its arrival (``arrives``).

    For a broken line, ``text`` is written instead of the event. ``kind`` names a planted defect, ``copy_of`` the
    ``event_id`` that a planted duplicate repeats.
    """

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
    """A line and its place: ``file`` relative to the landing zone, line ``number`` from 1."""

    line: Line
    file: str
    number: int


def to_json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC, to the second, with a Z.

    >>> iso(datetime(1998, 4, 16, 9, 30))
    '1998-04-16T09:30:00Z'
    """
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def arrival_day(hour: datetime) -> date:
    """The arrival day of an hour; it starts at 01:00 UTC.

    >>> str(arrival_day(datetime(1998, 4, 17, 0))), str(arrival_day(datetime(1998, 4, 17, 1)))
    ('1998-04-16', '1998-04-17')
    """
    return (hour - HOUR).date()


def folder(source: str, hour: datetime) -> str:
    """The folder of an arrival hour, relative to the landing zone.

    >>> folder("movielens", datetime(1998, 4, 16, 9))
    'movielens/arrived=1998-04-16T09'

    Args:
        source: the name of the source.
        hour: the arrival hour (UTC).
    """
    return f"{source}/arrived={hour:%Y-%m-%dT%H}"


def place(source: str, lines: Iterable[Line], lines_a_part: int = LINES_A_PART) -> list[Placed]:
    """Put lines into files, in the order of their events.

    The lines of a busy hour are spread over several files, like those of several collectors.

    Args:
        source: the name of the source.
        lines: the lines, in any order.
        lines_a_part: the largest number of lines in a file.
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
    """Gzip without a name or a time, so that the same lines give the same bytes; escaped surrogates become bytes again.

    >>> gzip.decompress(compress(["a", "b"]))
    b'a\\nb\\n'
    """
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
        file.write("".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))
    return buffer.getvalue()


def arrives_by(file: str, last: date) -> bool:
    """Whether a file of a landing zone arrives on an arrival day, or before it.

    >>> arrives_by("movielens/arrived=1998-04-17T00/part-000.jsonl.gz", date(1998, 4, 16))
    True

    Args:
        file: its path relative to the landing zone.
        last: the arrival day.
    """
    hour = datetime.strptime(file.split("arrived=")[1][:13] + "+0000", "%Y-%m-%dT%H%z")
    return arrival_day(hour) <= last


def write_new(root: Path, files: dict[str, bytes], sources: Iterable[str], until: date | None = None) -> int:
    """Write files below ``root``; existing files with the same content stay untouched.

    Args:
        root: the landing zone.
        files: content by path relative to ``root``.
        sources: the sources whose folders may hold only these files.
        until: the last arrival day to write; later files are allowed, but not written. None for all.

    Returns:
        The number of files written.

    Raises:
        ConfigError: a folder of these sources holds other files. Nothing is written then.
    """
    there = {p.relative_to(root).as_posix() for s in sources for p in (root / s).rglob("*") if p.is_file()}
    strange = sorted(there - files.keys()) + [f for f in sorted(there & files.keys()) if (root / f).read_bytes() != files[f]]
    if strange:
        raise ConfigError(
            f"the landing zone holds {len(strange)} files with other content, such as {strange[0]}; "
            f"in {root}; name another folder with --landing, or clear it with `make clean`"
        )
    missing = sorted(name for name in files.keys() - there if until is None or arrives_by(name, until))
    for name in missing:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.part")
        fresh.write_bytes(files[name])
        fresh.replace(path)  # atomic, so that a job never sees a partial file
    return len(missing)
