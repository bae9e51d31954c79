"""The landing zone compared with ``landing_files``, the record of the files that published days were made from.

A file that is gone would take its lines out of the day when the day is processed again. A file that came after its day was
published has never been read. Both are found here.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import polars as pl
import pyarrow as pa

from jobs.landing.files import LandingFile, arrival_files
from schemas.erasure.receipt import read_receipt, receipts
from schemas.lake.filters import equals
from schemas.lake.lake import Lake
from schemas.runtime.errors import Refused
from schemas.runtime.settings import Settings
from schemas.source import Source

TABLE = "landing_files"
ALLOW = "--allow-missing-files"
SHOWN = 10


def published_files(lake: Lake, arrived_on: date | None = None) -> pl.DataFrame:
    """``arrived_on``, ``source``, ``source_file``, ``bytes`` and ``lines`` of the files that published days were made from.

    Args:
        lake: the lake.
        arrived_on: the arrival day; default: all of them.
    """
    columns = ["arrived_on", "source", "source_file", "bytes", "lines"]
    where = None if arrived_on is None else equals("arrived_on", arrived_on)
    return pl.DataFrame(lake.arrow(TABLE, where, columns=columns)) if lake.exists(TABLE) else _NOTHING


_NOTHING = pl.DataFrame(
    schema={"arrived_on": pl.Date, "source": pl.String, "source_file": pl.String, "bytes": pl.Int64, "lines": pl.Int64}
)


def refuse_missing_files(published: pl.DataFrame, found: Iterable[LandingFile], arrived_on: date) -> None:
    """Refuse to process a day again without files that its published rows come from.

    Args:
        published: the result of :func:`published_files` for the day.
        found: the files of the day now, of the sources that are read now.
        arrived_on: the arrival day.

    Raises:
        Refused: a published file is not among them.
    """
    there = {file.relative for file in found}
    missing = published.filter(~pl.col("source_file").is_in(list(there))).sort("source_file")
    if len(missing):
        sources = ", ".join(missing["source"].unique().sort())
        raise Refused(
            f"{len(missing)} files that {arrived_on} was published from are gone, or their source is not read any more, and "
            f"{missing['lines'].sum()} lines with them; of source {sources}: {_shown(missing['source_file'].to_list())}; "
            f"deliver them again and name the source in CLICKWRIGHT_SOURCES, or accept the loss with {ALLOW}"
        )


def refuse_shorter_files(published: pl.DataFrame, landed: pa.Table, blanked: Mapping[str, int], arrived_on: date) -> None:
    """Refuse to process a day again with files that have lost lines.

    Args:
        published: the result of :func:`published_files` for the day.
        landed: the rows of ``landing_files`` now.
        blanked: file -> the number of lines that erasures have blanked in it.
        arrived_on: the arrival day.

    Raises:
        Refused: a file has fewer lines than when it was published.
    """
    known = dict(published.select("source_file", "lines").iter_rows())
    lines = dict(zip(landed["source_file"].to_pylist(), landed["lines"].to_pylist(), strict=True))
    shorter = [f for f, n in sorted(lines.items()) if n < known.get(f, 0) - blanked.get(f, 0)]
    if shorter:
        lost = sum(known[file] - lines[file] for file in shorter)
        raise Refused(
            f"{len(shorter)} files have lost {lost} lines since {arrived_on} was published; {_shown(shorter)}; "
            f"deliver the whole files again, or accept the loss with {ALLOW}"
        )


def blanked_lines(settings: Settings) -> dict[str, int]:
    """File, relative to the landing zone -> the number of its lines that erasures have blanked."""
    found: dict[str, int] = {}
    for path in receipts(settings):
        landing = read_receipt(path).landing
        for file, lines in landing.lines_blanked.items() if landing else ():
            found[file] = found.get(file, 0) + lines
    return found


def unread_files(lake: Lake, sources: Sequence[Source], settings: Settings) -> dict[date, list[str]]:
    """The landing files that their published day was not made from, by arrival day.

    They arrived or changed after their day was read. A day that was never published is left to its own run.

    Args:
        lake: the lake.
        sources: the mappings of the sources that are read.
        settings: the settings.
    """
    blanked = blanked_lines(settings)
    found: dict[date, list[str]] = {}
    for (day,), published in sorted(published_files(lake).partition_by("arrived_on", as_dict=True).items()):
        known = dict(published.select("source_file", "bytes").iter_rows())
        delivering = [source for source in sources if source.delivers_on(day)]
        files = [f for s in delivering for f in arrival_files(settings.landing_dir, s.name, s.name, day)]
        unread = [f.relative for f in files if known.get(f.relative) != f.size and f.relative not in blanked]
        if unread:
            found[day] = unread
    return found


def _shown(files: Sequence[str]) -> str:
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    return ", ".join(files[:SHOWN]) + more
