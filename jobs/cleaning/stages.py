"""The two stages of cleaning: tasks read the files of a day, then tasks decide about all lines of each of their users."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from jobs.cleaning.candidates import (
    Arrival,
    Parsed,
    derived,
    no_candidates,
    wanted_fields,
    without_erased,
)
from jobs.cleaning.faults import parse_each
from jobs.cleaning.outcomes import Limits, decide
from jobs.cleaning.reject_reasons import LineReason
from jobs.cleaning.rejected import masked_lines, reject_rows, shown_fields
from jobs.exchange.parquet_writer import content, write_partitions
from jobs.landing.files import LandingFile, Piece
from jobs.landing.readers import Bounds, Problem, read, refused_file
from jobs.landing.readers.frames import ELEMENT
from schemas.contract import Contract
from schemas.lake.storage import digest
from schemas.outcomes import Outcome
from schemas.privacy.pseudonyms import NamedKey
from schemas.privacy.suppression_list import Erased
from schemas.source import Source

ACCEPTED, REJECTED, READ, CHANGED = "sound", "refused", "read", "changed"

WAS_CHANGED = {"change": pl.String, "texts": pl.Int64}
WAS_READ = {"file": pl.Int64, "piece": pl.Int64, "lines": pl.Int64, "sha256": pl.String, "changed": pl.Boolean}
WAS_READ |= {"records": pl.Int64, "left_out": pl.Int64}

FOLLOWS = ["source", "source_file", "arrived_at", "arrived_on", "event_date", "lag_seconds", "days_late"]
"""Columns of a candidate that follow from its file and its time, so they are not sent through the exchange."""


@dataclass(frozen=True)
class Day:
    """The inputs that all tasks of one cleaning share. Spark sends them to its tasks, so none of them is secret."""

    arrived_on: date
    history: bool
    files: tuple[LandingFile, ...]
    sources: dict[str, Source]
    limits: Limits
    bounds: Bounds
    key: NamedKey
    events: Contract
    rejects: Contract
    erased: Erased
    folders: dict[str, Path]

    def arrival(self, file: LandingFile) -> Arrival:
        return Arrival(file.source, file.relative, file.arrived_at, self.arrived_on, self.history)


def read_files(of: Day, pieces: list[Piece]) -> Iterator[tuple[str, pl.DataFrame, str | None]]:
    """First stage: the candidates of some files, and how many lines were read.

    Args:
        of: the day.
        pieces: the files, or pieces of files, of this task.

    Yields:
        Valid candidates by user; rejected ones and line counts without a key.
    """
    for piece in pieces:
        number, first, _ = piece
        file, lines, records, left_out = of.files[number], 0, 0, 0
        changed = Counter[str]()
        for parsed in candidates(of, piece):
            lines += parsed.lines
            records += parsed.records
            left_out += parsed.left_out
            changed.update(parsed.changed)
            yield REJECTED, parsed.rejected, None
            yield ACCEPTED, parsed.accepted.drop(FOLLOWS).with_columns(_file=pl.lit(number, pl.Int32)), "user_id"
        sha256 = None if first else digest_of(file)  # for a file in pieces, the task of the first piece
        if changed:
            yield CHANGED, pl.DataFrame(sorted(changed.items()), WAS_CHANGED, orient="row"), None
        was_read = number, first or 0, lines, sha256, file.changed(), records, left_out
        yield READ, pl.DataFrame([was_read], WAS_READ, orient="row"), None


def candidates(of: Day, piece: Piece) -> Iterator[Parsed]:
    """The candidates of a file or of a piece of it, one frame after the other.

    Args:
        of: the day.
        piece: the file's number, and its first and last row group.
    """
    number, first, last = piece
    file = of.files[number]
    source, key = of.sources[file.source], of.key.read()
    groups = None if first is None or last is None else (first, last)
    wanted = wanted_fields(source)
    whole = [refused_file(file.problem, wanted)] if file.problem is not None else None
    for raw in whole or read(file.path, source, wanted, groups=groups, bounds=of.bounds):
        yield without_erased(parse_each(raw, source, key, of.arrival(file), of.events), of.erased)


def digest_of(file: LandingFile) -> str:
    """SHA-256 of a landing file; of an entry that is not read, that of no bytes."""
    return hashlib.sha256().hexdigest() if file.problem is not None else digest(str(file.path))


def refuse(rows: pl.DataFrame, reason: pl.Expr | pl.Series, shown: list[str]) -> pl.DataFrame:
    """Turn valid candidates into rejects, in the form of :class:`jobs.cleaning.candidates.Parsed`.

    Args:
        rows: the candidates.
        reason: one reason for each.
        shown: the columns that their masked lines show.
    """
    return rows.with_columns(reasons=pl.concat_list(reason), masked_line=masked_lines(rows, shown), readable=pl.lit(True))


def decide_and_write(of: Day, bucket: int, frames: dict[str, pl.DataFrame]) -> Iterator[dict[str, Any]]:
    """Second stage: write the events and rejects of a bucket, and account for each of its lines.

    Args:
        of: the day.
        bucket: its number.
        frames: the rows of :func:`read_files` by kind.
    """
    decided = decide(
        _complete(of, frames[ACCEPTED]) if ACCEPTED in frames else no_candidates(of.events),
        **vars(of.limits),
    )
    events = decided.filter(pl.col("outcome") == Outcome.EVENT).select(of.events.columns)
    turned_down = decided.filter(pl.col("outcome") == Outcome.REJECT).partition_by("source", as_dict=True)
    rejected = [frames[REJECTED]] if REJECTED in frames else []
    for (source,), rows in turned_down.items():
        rejected.append(
            refuse(rows.drop("outcome", "reason"), rows["reason"], shown_fields(of.sources[str(source)], of.events))
        )
    rejects = reject_rows(pl.concat(rejected), of.rejects, of.events) if rejected else of.rejects.polars_schema.to_frame()
    yield {
        **dict(decided["outcome"].value_counts().iter_rows()),
        Outcome.REJECT: len(rejects),
        "late": int((events["days_late"] > 0).sum()),
        "set_aside": int(is_set_aside(rejects["reasons"].list.first()).sum()),
        "reasons": dict(rejects["reasons"].explode().value_counts().iter_rows()),
        "event_dates": events["event_date"].unique().to_list(),
        "changed": frames[CHANGED].rows() if CHANGED in frames else [],
        "read": frames[READ].rows() if READ in frames else [],
        "content": content(events),
        "wrote": {
            "events": write_partitions(events, of.events, of.folders["events"], ["user_id", "event_time", "event_id"]),
            "rejects": write_partitions(rejects, of.rejects, of.folders["rejects"], ["source_file", "line_number", ELEMENT]),
        },
    }


def is_set_aside(reasons: pl.Series) -> pl.Series:
    """Which reasons do not count against a source.

    These are its own `skip` rules and comments, headers that are repeated, erased users, and a user's ids used again.
    """
    also = [str(reason) for reason in (LineReason.ERASED, LineReason.ID_CONFLICT, Problem.HEADER_AGAIN)]
    return reasons.str.starts_with(f"{LineReason.SKIPPED}.") | reasons.is_in(also)


def _complete(of: Day, accepted: pl.DataFrame) -> pl.DataFrame:
    """Valid candidates as full rows of ``events`` again."""
    files = pl.DataFrame(
        {
            "_file": pl.Series(range(len(of.files)), dtype=pl.Int32),
            "source": [file.source for file in of.files],
            "source_file": [file.relative for file in of.files],
            "arrived_at": pl.Series([file.arrived_at for file in of.files], dtype=pl.Datetime("us", "UTC")),
            "arrived_on": [of.arrived_on for _ in of.files],
        }
    )
    whole = derived(accepted.join(files, on="_file", how="left"), of.history)
    return whole.select(*of.events.columns, ELEMENT)
