"""The two stages of a catalogue: tasks read its files, then tasks keep the newest line of each item."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from jobs.cleaning.faults import in_parts
from jobs.exchange.parquet_writer import write_partitions
from jobs.exchange.tasks import read_rows
from jobs.landing.files import HOUR, LandingFile
from jobs.landing.readers import Bounds, read, refused_file
from jobs.landing.readers.bounds import DEFAULT
from schemas.contract import Contract
from schemas.privacy.personal_texts import holding_personal_data
from schemas.rules import to_polars
from schemas.source import Items, Source

LOGGED_LINES = 20
NEWEST = ["arrived_at", "source_file", "line_number"]
ARRIVED = r"/arrived=([0-9-]+T[0-9]{2})/"
ACCEPTED, REFUSED, KNOWN = "accepted", "refused", "known"
SHOWN = ("item_id", "title", "categories", "brand")
"""Columns that other people read in recommendations, reasons and ads."""
PERSONAL = "personal"


@dataclass(frozen=True)
class Catalogue:
    """The inputs that all tasks of one build share."""

    as_of: date
    files: tuple[LandingFile, ...]
    sources: dict[str, Source]
    items: Contract
    folder: Path
    known: tuple[str, ...] = ()
    """The data files of the newest published catalogue; their numbers follow those of the landing files."""
    bounds: Bounds = DEFAULT

    @property
    def present(self) -> list[str]:
        return [file.relative for file in self.files]


def read_catalogue(of: Catalogue, numbers: list[int]) -> Iterator[tuple[str, pl.DataFrame, str | None]]:
    """First stage: the rows of some catalogue files, valid ones by item, rejected ones without a key.

    Args:
        of: the build.
        numbers: the numbers of this task's files.
    """
    for number in numbers:
        if number >= len(of.files):
            yield from known_items(of, of.known[number - len(of.files)])
            continue
        file = of.files[number]
        source = of.sources[file.source]
        assert source.items is not None
        wanted = {name: column.path for name, column in source.items.columns.items() if column.path is not None}
        lists = frozenset(n for n, kind in of.items.polars_schema.items() if isinstance(kind, pl.List) and n in wanted)
        whole = [refused_file(file.problem, wanted, lists)] if file.problem is not None else None
        for raw in whole or read(file.path, source.catalogue, wanted, lists, bounds=of.bounds):
            parse = partial(parse_items, items=source.items, as_of=of.as_of, file=file, contract=of.items)
            rows = pl.concat(in_parts(raw, parse, file.relative))
            sound = rows["reasons"].list.len() == 0
            yield ACCEPTED, rows.filter(sound).select(*of.items.columns, "arrived_at"), "item_id"
            yield REFUSED, rows.filter(~sound).select("source_file", "line_number", "reasons"), None


def known_items(of: Catalogue, path: str) -> Iterator[tuple[str, pl.DataFrame, str | None]]:
    """The rows of the published catalogue: the ids of all items, and whole rows of items whose file is gone.

    Args:
        of: the build.
        path: a data file of ``items``.
    """
    began = pl.concat_str(pl.col("source_file").str.extract(ARRIVED), pl.lit(":00"))
    hour = began.str.to_datetime(time_zone="UTC", strict=False)
    for rows in read_rows(path, of.items.columns, "items"):
        yield KNOWN, rows.select("item_id", "first_seen"), "item_id"
        # A file that is still there speaks for itself, also when its lines have changed.
        gone = rows.filter(~pl.col("source_file").is_in(of.present).fill_null(False))
        whole = gone.with_columns(as_of=pl.lit(of.as_of), arrived_at=(hour + HOUR).cast(pl.Datetime("us", "UTC")))
        yield ACCEPTED, whole.select(*of.items.columns, "arrived_at"), "item_id"


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
    frame = frame.with_columns(**{f"{PERSONAL}.{name}": holding_personal_data(_as_text(frame, name)) for name in SHOWN})
    broken += [pl.when(pl.col(f"{PERSONAL}.{name}")).then(pl.lit(f"{name}.{PERSONAL}")) for name in SHOWN]
    reasons = pl.when(pl.col("problem").is_not_null()).then(of_line).otherwise(pl.concat_list(broken).list.drop_nulls())
    return frame.with_columns(reasons=reasons).drop("problem", *(f"{PERSONAL}.{name}" for name in SHOWN))


def _as_text(frame: pl.DataFrame, name: str) -> pl.Series:
    values = frame[name]
    return values.list.join("\n") if isinstance(values.dtype, pl.List) else values


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

    Yields:
        The written files, the rejected lines by reason, and how many of the known items the catalogue lacks.
    """
    refused = frames[REFUSED].sort("source_file", "line_number") if REFUSED in frames else pl.DataFrame()
    nothing = of.items.polars_schema.to_frame()
    known = frames.get(KNOWN, nothing.select("item_id", "first_seen"))
    rows = newest_items(frames[ACCEPTED], known).select(of.items.columns) if ACCEPTED in frames else nothing
    reasons = refused["reasons"].explode().value_counts().rows() if len(refused) else []
    yield {
        "wrote": write_partitions(rows, of.items, of.folder, ["item_id"]),
        "reasons": dict(reasons),
        "examples": refused.head(LOGGED_LINES).to_dicts(),
        "known": known["item_id"].n_unique(),
        "lacking": known.join(rows, on="item_id", how="anti")["item_id"].n_unique(),
        "kept": int((~rows["source_file"].is_in(of.present)).sum()),
    }


def newest_items(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """One row for each item: its newest line, and the day on which it was first seen.

    Args:
        rows: lines of the catalogue.
        known: ``item_id`` and ``first_seen`` of the published catalogue.
    """
    seen = pl.concat([frame.select("item_id", "first_seen") for frame in (rows, known)])
    first_seen = seen.group_by("item_id").agg(pl.col("first_seen").min())
    newest = rows.sort(NEWEST, descending=True, nulls_last=True).unique("item_id", keep="first", maintain_order=True)
    return newest.drop("first_seen").join(first_seen, on="item_id")
