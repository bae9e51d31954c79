"""Clean an arrival day: every raw line becomes an event, a reject with its reasons, or a counted duplicate. Nothing vanishes.

Reads the landing files of the day, writes ``events`` and ``rejects`` of that arrival day (staged; then audit and publish), and
into ``landing_files`` which files these were: their sizes and the digests of their contents.
Duplicates are dropped within the arrival: the same event id with the same content, and the same behaviour again within
``CLICKWRIGHT_NEAR_DUPLICATE_SECONDS``. Robots and runaway users are set aside with a reason. One exchange, by user.

``python -m jobs.clean --arrived-on 1998-04-16``
"""

import argparse
import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from pyspark.sql import SparkSession

from jobs import check
from jobs.decide import Fate, decide, same_ids
from jobs.exchange import buckets_for, exchange
from jobs.ids import IDS, id_digests, shared_ids, write_ids
from jobs.landing import LandingFile, Piece, expect_arrival, in_tasks
from jobs.late import CONTENT, TOUCHED, spans
from jobs.parse import Arrival, derived, masked_lines, parse, reject_rows, shown_fields, wanted_fields, without_erased
from jobs.readers import read
from jobs.reasons import LineReason
from jobs.write import content, write_partitions
from schemas.contract import Contract, load_contract
from schemas.lake.filters import equals
from schemas.lake.lake import Lake, open_lake
from schemas.lake.storage import digest
from schemas.privacy.suppression_list import Erased, read_erased
from schemas.publishing.staging import Attempt, open_attempt
from schemas.runtime.cli import day, log, run_command, run_id_default
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import Settings, get_settings
from schemas.source import Source, load_source
from schemas.spark.session import spark_session

SOUND, REFUSED, READ = "sound", "refused", "read"
WAS_READ = {"file": pl.Int64, "piece": pl.Int64, "lines": pl.Int64, "sha256": pl.String, "changed": pl.Boolean}
FOLLOWS = ["source", "source_file", "arrived_at", "arrived_on", "event_date", "lag_seconds", "days_late"]
"""Columns of a candidate that follow from its file and its time: they need not travel."""


@dataclass(frozen=True)
class Day:
    """All that the tasks of one cleaning have to know."""

    arrived_on: date
    history: bool
    files: tuple[LandingFile, ...]
    sources: dict[str, Source]
    settings: Settings
    key: bytes = field(repr=False)
    events: Contract
    rejects: Contract
    erased: Erased
    folders: dict[str, Path]
    conflicts: frozenset[tuple[int, int]] = frozenset()
    """(file, line) of lines whose event id another user's line has used before."""

    def arrival(self, file: LandingFile) -> Arrival:
        return Arrival(file.source, file.relative, file.arrived_at, self.arrived_on, self.history)


# ---- first stage: a task reads some files ---------------------------------------------------------------------------------


def read_files(of: Day, pieces: list[Piece]) -> Iterator[tuple[str, pl.DataFrame, str | None]]:
    """The candidates of some files: sound ones by user, refused ones together, and how many lines there were."""
    for piece in pieces:
        number, first, _ = piece
        file, lines = of.files[number], 0
        for sound, refused in candidates(of, piece):
            lines += len(sound) + len(refused)
            yield REFUSED, refused, None
            yield SOUND, sound.drop(FOLLOWS).with_columns(_file=pl.lit(number, pl.Int32)), "user_id"
        sha256 = None if first else digest(str(file.path))  # of a file in pieces, the first one's task takes it
        yield READ, pl.DataFrame([(number, first or 0, lines, sha256, file.changed())], WAS_READ, orient="row"), None


def candidates(of: Day, piece: Piece) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """(sound, refused) of the lines of a file or of a piece of it, some at a time."""
    number, first, last = piece
    file = of.files[number]
    source = of.sources[file.source]
    groups = None if first is None or last is None else (first, last)
    for raw in read(file.path, source, wanted_fields(source), groups=groups):
        parsed = without_erased(parse(raw, source, of.key, of.arrival(file), of.events), of.erased)
        lost = [line for n, line in of.conflicts if n == number]
        if not lost:
            yield parsed.sound, parsed.refused
            continue
        again = pl.col("line_number").is_in(lost)
        conflicting = refuse(parsed.sound.filter(again), pl.lit(str(LineReason.ID_CONFLICT)), shown_fields(source, of.events))
        yield parsed.sound.filter(~again), pl.concat([parsed.refused, conflicting])


def refuse(rows: pl.DataFrame, reason: pl.Expr | pl.Series, shown: list[str]) -> pl.DataFrame:
    """Candidates that could be read and are refused for one reason, as ``jobs.parse`` gives those that it refuses."""
    return rows.with_columns(reasons=pl.concat_list(reason), masked_line=masked_lines(rows, shown), readable=pl.lit(True))


# ---- second stage: a task decides on all lines of its users, and writes ---------------------------------------------------


def decide_and_write(of: Day, bucket: int, frames: dict[str, pl.DataFrame]) -> Iterator[dict[str, Any]]:
    """Write the events and rejects of a bucket, and account for every line of it."""
    settings = of.settings
    decided = decide(
        _complete(of, frames[SOUND]) if SOUND in frames else of.events.polars_schema.to_frame(),
        near_duplicate_seconds=settings.near_duplicate_seconds,
        robot_events_per_day=settings.robot_events_per_day,
        robot_chain=settings.robot_chain,
        gap=settings.session_gap,
    )
    events = decided.filter(pl.col("fate") == Fate.EVENT).select(of.events.columns)
    turned_down = decided.filter(pl.col("fate") == Fate.REJECT).partition_by("source", as_dict=True)
    refused = [frames[REFUSED]] if REFUSED in frames else []
    for (source,), rows in turned_down.items():
        refused.append(refuse(rows.drop("fate", "reason"), rows["reason"], shown_fields(of.sources[str(source)], of.events)))
    rejects = reject_rows(pl.concat(refused), of.rejects, of.events) if refused else of.rejects.polars_schema.to_frame()
    yield {
        **dict(decided["fate"].value_counts().iter_rows()),
        Fate.REJECT: len(rejects),
        "late": int((events["days_late"] > 0).sum()),
        "set_aside": int(_set_aside(rejects["reasons"].list.first()).sum()),
        "reasons": dict(rejects["reasons"].explode().value_counts().iter_rows()),
        "event_dates": events["event_date"].unique().to_list(),
        "read": frames[READ].rows() if READ in frames else [],
        "content": content(events),
        "ids": write_ids(events, of.folders["events"]),
        "wrote": {
            "events": write_partitions(events, of.events, of.folders["events"], ["user_id", "event_time", "event_id"]),
            "rejects": write_partitions(rejects, of.rejects, of.folders["rejects"], ["source_file", "line_number"]),
        },
    }


def _set_aside(reasons: pl.Series) -> pl.Series:
    """Which reasons say nothing against a source: its own rules, and persons who asked to be erased."""
    return reasons.str.starts_with(f"{LineReason.SKIPPED}.") | (reasons == LineReason.ERASED)


def _complete(of: Day, sound: pl.DataFrame) -> pl.DataFrame:
    """Sound candidates as rows of ``events`` again."""
    files = pl.DataFrame(
        {
            "_file": pl.Series(range(len(of.files)), dtype=pl.Int32),
            "source": [file.source for file in of.files],
            "source_file": [file.relative for file in of.files],
            "arrived_at": pl.Series([file.arrived_at for file in of.files], dtype=pl.Datetime("us", "UTC")),
            "arrived_on": [of.arrived_on for _ in of.files],
        }
    )
    whole = derived(sound.join(files, on="_file", how="left"), of.history)
    return whole.select(of.events.columns)


# ---- event ids, over all users --------------------------------------------------------------------------------------------


def conflicting_lines(
    spark: SparkSession, of: Day, tasks: list[list[Piece]], shared: frozenset[int]
) -> frozenset[tuple[int, int]]:
    """(file, line) of the lines whose event id an earlier line of another user has."""
    results = exchange(spark, tasks, 1, partial(_lines_of, of, shared), _later_ones)
    return frozenset((file, line) for result in results for file, line in result["lines"])


def _lines_of(of: Day, shared: frozenset[int], pieces: list[Piece]) -> Iterator[tuple[str, pl.DataFrame, str | None]]:
    for piece in pieces:
        for sound, _ in candidates(of, piece):
            rows = sound.filter(id_digests(sound).is_in(list(shared)))
            yield SOUND, rows.with_columns(_file=pl.lit(piece[0], pl.Int32)), None


def _later_ones(bucket: int, frames: dict[str, pl.DataFrame]) -> Iterator[dict[str, Any]]:
    rows = frames[SOUND].with_row_index("_row")
    _, conflicts, _ = same_ids(rows)
    yield {"lines": rows.filter(pl.col("_row").is_in(conflicts.implode())).select("_file", "line_number").rows()}


# ---- the whole ------------------------------------------------------------------------------------------------------------


def clean(
    spark: SparkSession,
    attempt: Attempt,
    lake: Lake,
    arrived_on: date,
    history: bool,
    sources: list[Source],
    settings: Settings,
) -> dict[str, Any]:
    """Stage the events and rejects of an arrival day, and hold the accounts.

    Raises:
        ClickwrightError: a file changed while it was read, or lines read are not events plus rejects plus duplicates.
    """
    files = expect_arrival(settings.landing_dir, sources, arrived_on)
    of = Day(
        arrived_on,
        history,
        tuple(files),
        {source.name: source for source in sources},
        settings,
        settings.pseudonym_secret(),
        load_contract("events"),
        load_contract("rejects"),
        read_erased(settings),
        {table: attempt.folder(table) for table in ("events", "rejects")},
    )
    tasks, buckets = in_tasks(files, of.sources), buckets_for(sum(file.size for file in files))
    results = exchange(spark, tasks, buckets, partial(read_files, of), partial(decide_and_write, of))
    shared = shared_ids([result["ids"] for result in results])
    if shared and (conflicts := conflicting_lines(spark, of, tasks, shared)):
        log.warning("event ids of several users; their later lines are refused", lines=len(conflicts))
        for folder in of.folders.values():
            shutil.rmtree(folder, ignore_errors=True)
        of = replace(of, conflicts=conflicts)
        results = exchange(spark, tasks, buckets, partial(read_files, of), partial(decide_and_write, of))
    shutil.rmtree(of.folders["events"] / IDS, ignore_errors=True)
    figures = accounts(results, files, sum(map(len, tasks)))
    landed = landing_rows(results, files, arrived_on)
    for table in ("events", "rejects"):
        attempt.replaces(table, "arrived_on", [arrived_on])
        attempt.wrote(table, [path for result in results for path in result["wrote"][table]])
    attempt.write_arrow("landing_files", landed, replaces=("arrived_on", [arrived_on]))
    attempt.note(**figures, files=len(files), landing=digest_of(landed), history=history)
    whole = sum(result["content"] for result in results) % 2**64
    attempt.note(**{TOUCHED: spans(touched(lake, arrived_on, results)), CONTENT: f"{figures['events']}:{whole:016x}"})
    return figures


def touched(lake: Lake, arrived_on: date, results: Sequence[dict[str, Any]]) -> set[date]:
    """The event dates of the arrival, and those that it had when it was cleaned before: what follows from them may change."""
    before = lake.partitions("events", "event_date", where=equals("arrived_on", arrived_on))
    return {*before, *(date.fromisoformat(text) for result in results for text in result["event_dates"])}


def landing_rows(results: list[dict[str, Any]], files: Sequence[LandingFile], arrived_on: date) -> pa.Table:
    """Rows of ``landing_files``: each file that was read, with its size, lines and digest."""
    lines, digests = Counter[int](), dict[int, str]()
    for number, _, count, sha256, _ in (row for result in results for row in result["read"]):
        lines[number] += count
        digests |= {number: sha256} if sha256 else {}
    rows = [
        {
            "arrived_on": arrived_on,
            "source_file": file.relative,
            "source": file.source,
            "arrived_at": file.arrived_at,
            "bytes": file.size,
            "lines": lines[number],
            "sha256": digests[number],
        }
        for number, file in enumerate(files)
    ]
    return pa.Table.from_pylist(rows, schema=load_contract("landing_files").arrow_schema)


def digest_of(landed: pa.Table) -> dict[str, Any]:
    """What the commit says of the landing files: how many bytes, and one digest of all their names and contents."""
    listed = "".join(f"{row['sha256']}  {row['source_file']}\n" for row in landed.sort_by("source_file").to_pylist())
    return {"bytes": sum(landed["bytes"].to_pylist()), "sha256": hashlib.sha256(listed.encode()).hexdigest()}


def accounts(results: list[dict[str, Any]], files: Sequence[LandingFile], pieces: int) -> dict[str, Any]:
    """Add up lines by fate and by reason, and check that none is missing.

    Lines are counted where they are read and again where their fate is decided, on the other side of the exchange.
    """
    read = {(file, piece): (lines, changed) for result in results for file, piece, lines, _, changed in result["read"]}
    for (number, _), (_, changed) in sorted(read.items()):
        if changed:
            raise ClickwrightError(
                f"a landing file changed while it was read; {files[number].path}; nothing was published: run this again"
            )
    fates, reasons = Counter[str](), Counter[str]()
    for result in results:
        fates.update({fate: result.get(fate, 0) for fate in Fate} | {n: result[n] for n in ("late", "set_aside")})
        reasons.update(result["reasons"])
    figures = {
        "lines_read": sum(lines for lines, _ in read.values()),
        "events": fates[Fate.EVENT],
        "rejects": fates[Fate.REJECT],
        "duplicates": fates[Fate.EXACT_DUPLICATE] + fates[Fate.NEAR_DUPLICATE],
        "exact_duplicates": fates[Fate.EXACT_DUPLICATE],
        "near_duplicates": fates[Fate.NEAR_DUPLICATE],
        "late_events": fates["late"],
        "set_aside": fates["set_aside"],
        "reasons": dict(sorted(reasons.items())),
    }
    accounted = figures["events"] + figures["rejects"] + figures["duplicates"]
    if figures["lines_read"] != accounted or len(read) != pieces:
        raise ClickwrightError(
            f"{figures['lines_read']} lines of {len(read)} files or pieces were read, but {accounted} lines of {pieces} are "
            "accounted for; in jobs.clean; this is a fault of the job: nothing was published"
        )
    return figures


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Stage one arrival day."""
    parser = argparse.ArgumentParser(description="Clean an arrival day: stage its events and its rejects.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--arrived-on", type=day, help="arrival day, YYYY-MM-DD")
    what.add_argument(
        "--check",
        nargs=2,
        metavar=("SOURCE", "FILE"),
        help="show what would become of the lines of a file; writes nothing, needs no Spark",
    )
    parser.add_argument(
        "--history-since",
        default="",
        help="a date: the arrival is a history load, to which lateness does not apply",
    )
    parser.add_argument("--run", default=run_id_default(), help="name of the run (default: this shell's)")
    args = parser.parse_args(argv)
    if args.check:
        return check.main(args.check)
    settings = get_settings()
    sources = [load_source(name) for name in settings.source_names]
    expect_arrival(settings.landing_dir, sources, args.arrived_on)  # before the JVM starts
    spark = spark_session(f"clean {args.arrived_on}")
    try:
        with open_attempt("clean", args.run, inputs={}) as attempt:
            figures = clean(spark, attempt, open_lake(), args.arrived_on, bool(args.history_since), sources, settings)
    finally:
        spark.stop()
    log.info("staged", job="clean", arrived_on=str(args.arrived_on), **figures)
    return figures


if __name__ == "__main__":
    raise SystemExit(run_command(main))
