"""The catalogue as it was known on a day: for every item the newest line that had arrived by then.

Reads the catalogue files of the sources in the landing zone, writes the partition ``as_of`` of ``items``. There is nothing to
do on a day without a catalogue file, because the previous partition still holds, or if no source has a catalogue.
A line that breaks a rule of the contract is left out, counted by rule in the commit, and logged with its file and line.

``python -m jobs.items --as-of 1998-04-16``
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from pyspark.sql import SparkSession

from jobs.exchange.exchange import buckets_for, exchange
from jobs.exchange.parquet_writer import write_partitions
from jobs.exchange.tasks import in_tasks
from jobs.landing.files import LandingFile, item_files
from jobs.landing.folders import tell_strays
from jobs.landing.readers import Bounds, read, refused_file
from jobs.landing.readers.bounds import DEFAULT
from schemas.contract import Contract, load_contract
from schemas.publishing.staging import Attempt, open_attempt
from schemas.rules import to_polars
from schemas.runtime.cli import day, log, run_command, run_id_default
from schemas.runtime.errors import ClickwrightError, NothingToDo
from schemas.runtime.settings import get_settings
from schemas.source import Items, Source, has_catalogue, load_source
from schemas.spark.session import spark_session

LOGGED_LINES = 20
NEWEST = ["arrived_at", "source_file", "line_number"]
SOUND, REFUSED = "sound", "refused"


@dataclass(frozen=True)
class Catalogue:
    """The inputs that all tasks of one build share."""

    as_of: date
    files: tuple[LandingFile, ...]
    sources: dict[str, Source]
    items: Contract
    folder: Path
    bounds: Bounds = DEFAULT


def read_catalogue(of: Catalogue, numbers: list[int]) -> Iterator[tuple[str, pl.DataFrame, str | None]]:
    """First stage: the rows of some catalogue files, valid ones by item, rejected ones without a key.

    Args:
        of: the build.
        numbers: the numbers of this task's files.
    """
    for number in numbers:
        file = of.files[number]
        source = of.sources[file.source]
        assert source.items is not None
        wanted = {name: column.path for name, column in source.items.columns.items() if column.path is not None}
        lists = frozenset(n for n, kind in of.items.polars_schema.items() if isinstance(kind, pl.List) and n in wanted)
        whole = [refused_file(file.problem, wanted, lists)] if file.problem is not None else None
        for raw in whole or read(file.path, source, wanted, lists, bounds=of.bounds):
            rows = parse_items(raw, source.items, of.as_of, file, of.items)
            sound = rows["reasons"].list.len() == 0
            yield SOUND, rows.filter(sound).drop("reasons"), "item_id"
            yield REFUSED, rows.filter(~sound).select("source_file", "line_number", "reasons"), None


def parse_items(raw: pl.DataFrame, items: Items, as_of: date, file: LandingFile, contract: Contract) -> pl.DataFrame:
    """Rows of ``items`` with their file, line and ``reasons``; an item that occurs several times has several rows.

    Args:
        raw: a frame of a reader.
        items: the mapping of the catalogue.
        as_of: the arrival day up to which files count.
        file: the file of the lines.
        contract: the contract of ``items``.
    """
    schema = contract.polars_schema
    constants = {name: column.constant for name, column in items.columns.items() if column.constant is not None}
    given = raw.with_columns(**{name: pl.lit(text) for name, text in constants.items()})
    mapped = [pl.col(name).cast(schema[name], strict=False) for name in items.columns]
    there = {*items.columns, "line_number"}
    absent = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in there]
    frame = given.select("problem", "line_number", *mapped, *absent)
    frame = frame.with_columns(
        as_of=pl.lit(as_of),
        first_seen=pl.lit(file.arrived_on),
        text=pl.coalesce("text", _description()),
        source_file=pl.lit(file.relative),
        arrived_at=pl.lit(file.arrived_at).cast(pl.Datetime("us", "UTC")),
    )
    broken = [pl.when(to_polars(rule)).then(pl.lit(rule.id)) for rule in contract.rules]
    of_line = pl.concat_list("problem")
    reasons = pl.when(pl.col("problem").is_not_null()).then(of_line).otherwise(pl.concat_list(broken).list.drop_nulls())
    return frame.with_columns(reasons=reasons).drop("problem")


def _description() -> pl.Expr:
    """A text for an item without one: title (year): categories."""
    year = pl.concat_str(pl.lit(" ("), "year", pl.lit(")"))
    kinds = pl.when(pl.col("categories").list.len() > 0).then(pl.concat_str(pl.lit(": "), pl.col("categories").list.join(", ")))
    return pl.concat_str("title", year, kinds, ignore_nulls=True)


def write_newest(of: Catalogue, bucket: int, frames: dict[str, pl.DataFrame]) -> Iterator[dict[str, Any]]:
    """Second stage: write one row for each item of a bucket, and report the rejected lines.

    Args:
        of: the build.
        bucket: its number.
        frames: the rows of :func:`read_catalogue` by kind.
    """
    refused = frames[REFUSED].sort("source_file", "line_number") if REFUSED in frames else pl.DataFrame()
    rows = newest_items(frames[SOUND]).select(of.items.columns) if SOUND in frames else of.items.polars_schema.to_frame()
    reasons = refused["reasons"].explode().value_counts().rows() if len(refused) else []
    yield {
        "wrote": write_partitions(rows, of.items, of.folder, ["item_id"]),
        "reasons": dict(reasons),
        "examples": refused.head(LOGGED_LINES).to_dicts(),
    }


def newest_items(rows: pl.DataFrame) -> pl.DataFrame:
    """One row for each item: its newest line, and the day on which it was first seen."""
    first_seen = rows.group_by("item_id").agg(pl.col("first_seen").min())
    newest = rows.sort(NEWEST, descending=True).unique("item_id", keep="first")
    return newest.drop("first_seen").join(first_seen, on="item_id")


def expect_catalogue(as_of: date) -> list[tuple[Source, list[LandingFile]]]:
    """For each source with a catalogue its files up to a day.

    Raises:
        ClickwrightError: no catalogue arrived by then.
        NothingToDo: no file arrived on that day, or no source has a catalogue.
    """
    settings = get_settings()
    if not has_catalogue(settings):
        raise NothingToDo(f"no source has a catalogue ({settings.sources}); items are known only from events; nothing to do")
    sources = [source for source in map(load_source, settings.source_names) if source.items is not None]
    files = [(source, item_files(settings.landing_dir, source, as_of)) for source in sources]
    if not any(found for _, found in files):
        expected = ", ".join(str(settings.landing_dir / source.items.folder) for source in sources if source.items)
        raise ClickwrightError(f"no catalogue arrived by {as_of}; expected in {expected}; deliver it, then clear this task")
    if not any(file.arrived_on == as_of for _, found in files for file in found):
        raise NothingToDo(f"no catalogue file arrived on {as_of}; the previous catalogue still holds; nothing to do")
    return [(source, found) for source, found in files if found]


def build_items(
    spark: SparkSession, attempt: Attempt, as_of: date, catalogue: list[tuple[Source, list[LandingFile]]]
) -> dict[str, Any]:
    """Stage the catalogue as of a day.

    Args:
        spark: the session.
        attempt: the staged attempt.
        as_of: the arrival day up to which files count.
        catalogue: the result of :func:`expect_catalogue`.

    Returns:
        The number of rejected lines by reason.
    """
    files = tuple(file for _, found in catalogue for file in found)
    sources, bounds = {source.name: source for source, _ in catalogue}, Bounds.set_by(get_settings())
    of = Catalogue(as_of, files, sources, load_contract("items"), attempt.folder("items"), bounds)
    sizes = [file.size for file in files]
    stages = partial(read_catalogue, of), partial(write_newest, of)
    results = exchange(spark, in_tasks(sizes), buckets_for(sum(sizes)), *stages)
    attempt.replaces("items", "as_of", [as_of])
    attempt.wrote("items", [path for result in results for path in result["wrote"]])
    for row in [row for result in results for row in result["examples"]][:LOGGED_LINES]:
        log.warning("item left out", file=row["source_file"], line=row["line_number"], reasons=row["reasons"])
    reasons = Counter[str]()
    for result in results:
        reasons.update(result["reasons"])
    attempt.note(files=len(files), refused_items=dict(sorted(reasons.items())))
    return {"refused_items": dict(sorted(reasons.items()))}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Stage the catalogue as of a day."""
    parser = argparse.ArgumentParser(description="Stage the catalogue of items as it was known on a day.")
    parser.add_argument("--as-of", type=day, required=True, help="arrival day up to which files count, YYYY-MM-DD")
    parser.add_argument("--run", default=run_id_default(), help="name of the run (default: this shell's)")
    args = parser.parse_args(argv)
    catalogue = expect_catalogue(args.as_of)
    tell_strays(get_settings().landing_dir, [source.items.folder for source, _ in catalogue if source.items])
    spark = spark_session(f"items {args.as_of}")
    try:
        with open_attempt("items", args.run, inputs={}) as attempt:
            return build_items(spark, attempt, args.as_of, catalogue)
    finally:
        spark.stop()


if __name__ == "__main__":
    raise SystemExit(run_command(main))
