"""The landing zone: the files of an arrival day. Collectors write it; the jobs only read it.

Files lie under ``<landing>/<source>/arrived=YYYY-MM-DDTHH/``. An arrival day lasts from 01:00 to 01:00 UTC, one grace hour
after midnight, so that events delivered seconds after midnight are not late.

``python -m jobs.arrivals --arrived-on 1998-04-16`` lists a day's files, or names the missing source.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from jobs.exchange import tasks
from jobs.landing.folders import FOLDER_FORMAT, files_in, hour_folders, problem_of
from jobs.landing.readers import Problem
from jobs.landing.readers.parquet import row_groups
from schemas.runtime.errors import ClickwrightError, NothingToDo, Refused
from schemas.runtime.local_files import escaped_name
from schemas.source import Source

GRACE = timedelta(hours=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class LandingFile:
    """A file of raw lines. ``arrived_at`` is the end of its arrival hour; size and modification time are as found.

    No line is read of an entry with a ``problem``, such as a pipe; its ``relative`` name is printable.
    """

    source: str
    path: Path
    relative: str
    arrived_at: datetime
    size: int
    modified_ns: int
    problem: Problem | None = None

    @property
    def arrived_on(self) -> date:
        """Its arrival day: files that arrive in the first hour after midnight belong to the day before."""
        return (self.arrived_at - HOUR - GRACE).date()

    def changed(self) -> bool:
        """Whether the file was replaced, changed or removed since it was found."""
        try:
            now = self.path.stat(follow_symlinks=self.problem is None)
        except OSError:
            return True
        size = now.st_size if self.problem is None else 0
        return (size, now.st_mtime_ns) != (self.size, self.modified_ns)


def found_file(source: str, path: Path, landing: Path, arrived_at: datetime) -> LandingFile:
    """A landing file, with its current size and modification time.

    Args:
        source: its source's name.
        path: the file.
        landing: the landing zone, to which its name is relative.
        arrived_at: the end of its arrival hour.
    """
    problem, name = problem_of(path, landing), escaped_name(path.relative_to(landing).as_posix())
    try:
        now = path.stat(follow_symlinks=problem is None)
    except FileNotFoundError:
        raise ClickwrightError(
            f"a landing file vanished while it was found; {escaped_name(path)}; run the same command again"
        ) from None
    size = now.st_size if problem is None else 0
    return LandingFile(source, path, name, arrived_at, size, now.st_mtime_ns, problem)


Piece = tuple[int, int | None, int | None]
"""The number of a file, and the first and last row group of the piece; None and None for the whole file."""


def pieces_by_task(files: Sequence[LandingFile], sources: Mapping[str, Source]) -> list[list[Piece]]:
    """Assign the files to tasks: small ones together, large Parquet files in pieces.

    Args:
        files: the files; their numbers are their positions here.
        sources: source name -> mapping.

    Returns:
        For each task its pieces.
    """
    pieces: list[Piece] = []
    sizes: list[int] = []
    for number, file in enumerate(files):
        splits = file.size > tasks.BYTES_A_TASK and sources[file.source].format == "parquet"
        groups = row_groups(file.path, tasks.BYTES_A_TASK) if splits and file.problem is None else []
        pieces += [(number, first, last) for (first, last), _ in groups] or [(number, None, None)]
        sizes += [size for _, size in groups] or [file.size]
    return [[pieces[i] for i in task] for task in tasks.in_tasks(sizes)]


def hours(arrived_on: date) -> Iterator[datetime]:
    """The starts of the 24 hours of an arrival day, UTC.

    >>> [f"{hour:%d %H:%M}" for hour in hours(date(1998, 4, 16))][::23]
    ['16 01:00', '17 00:00']
    """
    start = datetime(arrived_on.year, arrived_on.month, arrived_on.day, tzinfo=UTC) + GRACE
    return (start + i * HOUR for i in range(24))


def arrival_files(landing: Path, folder: str, source: str, arrived_on: date) -> list[LandingFile]:
    """The files that arrived on a day, also those in sub-folders, in order of hour and name. Hidden and temporary ones are
    ignored; any other entry counts, because nothing that arrived may be lost without a word.

    Args:
        landing: the landing zone.
        folder: the folder in it.
        source: the name of the source that delivers there.
        arrived_on: the arrival day.
    """
    found = []
    for hour in hours(arrived_on):
        for path in files_in(landing / folder / hour.strftime(FOLDER_FORMAT)):
            found.append(found_file(source, path, landing, hour + HOUR))
    return found


def expect_arrival(landing: Path, sources: Sequence[Source], arrived_on: date) -> list[LandingFile]:
    """The event files of a day, from all sources that deliver on it.

    Args:
        landing: the landing zone.
        sources: the mappings.
        arrived_on: the arrival day.

    Raises:
        NothingToDo: no source delivers on that day.
        Refused: the day is before a source's first arrival.
        ClickwrightError: a source that should have delivered did not, or a file cannot be read.
    """
    delivering = [source for source in sources if source.delivers_on(arrived_on)]
    if not delivering:
        lives = "; ".join(f"{s.name} {s.first_day or '...'} to {s.last_day or '...'}" for s in sources)
        raise NothingToDo(f"no source delivers on {arrived_on}; lifetimes: {lives}; nothing to do")
    files = []
    for source in delivering:
        of_source = arrival_files(landing, source.name, source.name, arrived_on)
        if not of_source:
            began = first_day(landing, source)
            if began is not None and arrived_on < began:
                raise Refused(
                    f"{arrived_on} is before the first arrival of source {source.name}, {began}; in {landing / source.name}; "
                    f"begin with that day, or set first_day in its mapping to the start of its lifetime"
                )
            first = landing / source.name / next(hours(arrived_on)).strftime(FOLDER_FORMAT)
            raise ClickwrightError(
                f"source {source.name} has no files for {arrived_on}; expected in {first} and the 23 hours after it; "
                "deliver them, then clear this task"
            )
        files += of_source
    return readable(files)


def readable(files: list[LandingFile]) -> list[LandingFile]:
    """The files, all of which this user may read.

    Raises:
        ClickwrightError: one of them is not readable. Nothing of it is known, so nothing of it is rejected.
    """
    for file in files:
        if file.problem is None and not os.access(file.path, os.R_OK):
            raise ClickwrightError(
                f"landing file is not readable; {file.path}; make it readable for this user, then clear this task"
            )
    return files


def first_day(landing: Path, source: Source) -> date | None:
    """The arrival day of a source's first delivery; None if there is none yet.

    Args:
        landing: the landing zone.
        source: the mapping.
    """
    folders = hour_folders(landing / source.name)
    return (folders[0][0] - GRACE).date() if folders else None


def ends_at(arrived_on: date) -> datetime:
    """The moment at which an arrival day ends.

    >>> ends_at(date(1998, 4, 16)).isoformat()
    '1998-04-17T01:00:00+00:00'
    """
    return next(hours(arrived_on)) + timedelta(days=1)


def item_files(landing: Path, source: Source, as_of: date) -> list[LandingFile]:
    """The catalogue files of a source that arrived up to a day, oldest first.

    Args:
        landing: the landing zone.
        source: the mapping; if it has no catalogue, the result is empty.
        as_of: the last arrival day.
    """
    if source.items is None:
        return []
    end = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC) + GRACE + timedelta(days=1)
    found = []
    for hour, folder in hour_folders(landing / source.items.folder):
        if hour + HOUR <= end:
            found += [found_file(source.name, path, landing, hour + HOUR) for path in files_in(folder)]
    return readable(found)
