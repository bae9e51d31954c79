"""The two stages of a catalogue: tasks read its files, then tasks keep the newest line of each item."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from jobs.cleaning.broken_rules import outside_of_bounds
from jobs.cleaning.candidates import wanted_fields, with_short_descriptions
from jobs.cleaning.faults import in_parts
from jobs.cleaning.number_texts import numbers
from jobs.cleaning.raw_columns import raw_columns
from jobs.cleaning.reject_reasons import LineReason
from jobs.cleaning.stages import WAS_CHANGED
from jobs.exchange.parquet_writer import write_partitions
from jobs.exchange.tasks import read_rows
from jobs.landing.files import HOUR, LandingFile
from jobs.landing.mapped import decoded, parts_of
from jobs.landing.readers import Bounds, read, refused_file
from jobs.landing.readers.bounds import DEFAULT
from jobs.landing.readers.frames import column_of
from schemas.contract import Contract
from schemas.privacy.personal_texts import holding_personal_data
from schemas.rules import to_polars
from schemas.source import Source
from schemas.source_parts import Column

LOGGED_LINES = 20
NEWEST = ["arrived_at", "source_file", "line_number"]
ARRIVED = r"/arrived=([0-9-]+T[0-9]{2})/"
ACCEPTED, REFUSED, KNOWN, CHANGED = "accepted", "refused", "known", "changed"
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
        wanted, changed = wanted_fields(source.of_catalogue), Counter[str]()
        lists = lists_among(wanted, of.items)
        whole = [refused_file(file.problem, wanted, lists)] if file.problem is not None else None
        for raw in whole or read(file.path, source.of_catalogue, wanted, lists, bounds=of.bounds):
            rows, cut = parse_each_item(raw, source, of.as_of, file, of.items)
            changed.update(cut)
            sound = rows["reasons"].list.len() == 0
            yield ACCEPTED, rows.filter(sound).select(*of.items.columns, "arrived_at"), "item_id"
            yield REFUSED, rows.filter(~sound).select("source_file", "line_number", "reasons"), None
        if changed:
            yield CHANGED, pl.DataFrame(sorted(changed.items()), WAS_CHANGED, orient="row"), None


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


def parse_items(
    raw: pl.DataFrame, source: Source, as_of: date, file: LandingFile, contract: Contract
) -> tuple[pl.DataFrame, Counter[str]]:
    """Rows of ``items`` with their file, line and ``reasons``, and how many describing texts were cut.

    An item that occurs several times has several rows.

    Args:
        raw: a frame of a reader, with the columns of :func:`jobs.cleaning.candidates.wanted_fields`.
        source: the mapping.
        as_of: the arrival day up to which files count.
        file: the file of the lines.
        contract: the contract of ``items``.
    """
    changed = Counter[str]()
    schema, frame, unread = contract.polars_schema, *_typed_columns(raw, source, contract)
    absent = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in frame.columns]
    frame = frame.with_columns(absent)
    frame = frame.with_columns(
        as_of=pl.lit(as_of),
        first_seen=pl.lit(file.arrived_on),
        text=pl.coalesce("text", _description()),
        source_file=pl.lit(file.relative),
        arrived_at=pl.lit(file.arrived_at).cast(pl.Datetime("us", "UTC")),
    )
    frame = with_short_descriptions(frame, contract, changed)
    broken = [pl.when(hit).then(pl.lit(reason)) for reason, hit in unread.items()]
    broken += [pl.when(to_polars(rule)).then(pl.lit(rule.id)) for rule in contract.rules]
    of_line = pl.concat_list("problem")
    frame = frame.with_columns(**{f"{PERSONAL}.{name}": holding_personal_data(_as_text(frame, name)) for name in SHOWN})
    broken += [pl.when(pl.col(f"{PERSONAL}.{name}")).then(pl.lit(f"{name}.{PERSONAL}")) for name in SHOWN]
    reasons = pl.when(pl.col("problem").is_not_null()).then(of_line).otherwise(pl.concat_list(broken).list.drop_nulls())
    return frame.with_columns(reasons=reasons).drop("problem", *(f"{PERSONAL}.{name}" for name in SHOWN)), changed


def parse_each_item(
    raw: pl.DataFrame, source: Source, as_of: date, file: LandingFile, contract: Contract
) -> tuple[pl.DataFrame, Counter[str]]:
    """:func:`parse_items`, where a line at which it fails is a reject.

    Args:
        raw: a frame of a reader.
        source: the mapping.
        as_of: the arrival day up to which files count.
        file: the file of the lines.
        contract: the contract of ``items``.
    """
    parts = in_parts(raw, lambda lines: parse_items(lines, source, as_of, file, contract), file.relative)
    return pl.concat(rows for rows, _ in parts), sum((changed for _, changed in parts), Counter())


def lists_among(wanted: Iterable[str], contract: Contract) -> frozenset[str]:
    """The wanted fields whose columns are lists.

    Args:
        wanted: the fields.
        contract: the contract of ``items``.
    """
    return frozenset(name for name in wanted if isinstance(contract.polars_schema[column_of(name)], pl.List))


def _typed_columns(raw: pl.DataFrame, source: Source, contract: Contract) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """The mapped columns in their types, by the rules of event lines, and for each reason which values are refused."""
    schema, columns, lists = (
        contract.polars_schema,
        source.of_catalogue.columns,
        lists_among(source.of_catalogue.columns, contract),
    )
    single = source.of_catalogue.model_copy(update={"columns": {n: c for n, c in columns.items() if n not in lists}})
    mapped, rounded = raw_columns(raw, single)
    frame = raw.select("problem", "line_number")
    unread = {f"{name}.{LineReason.NOT_EXACT}": flags for name, flags in rounded.items()}
    for name, column in columns.items():
        if name in lists:
            frame = frame.with_columns(_list_of(raw, name, column, source.nothing))
            continue
        kind = schema[name]
        values = numbers(mapped[name], kind, source) if kind.is_numeric() else mapped[name].cast(kind, strict=False)
        frame = frame.with_columns(values.alias(name))
        if kind != pl.String:
            unread[f"{name}.{LineReason.UNREADABLE}"] = mapped[name].is_not_null() & values.is_null()
        unread |= outside_of_bounds(frame[name], column)
    return frame, unread


def _list_of(raw: pl.DataFrame, name: str, column: Column, nothing: tuple[str, ...]) -> pl.Series:
    """The texts of a column that is a list, made as :func:`jobs.landing.mapped.value_of` makes those of other columns."""
    if column.constant is not None:
        return pl.Series(name, [[column.constant]] * len(raw))
    parts = [pl.col(part) for part in parts_of(name, column)]
    joined = pl.concat_list([part.fill_null([]) for part in parts])
    value = (
        pl.coalesce(parts)
        if column.first_of is not None
        else pl.when(~pl.all_horizontal(p.is_null() for p in parts)).then(joined)
    )
    texts = raw.select(value.alias(name))[name].to_frame().with_row_index("row").explode(name)
    if column.url_decoded:
        texts = texts.with_columns(pl.col(name).map_batches(decoded, return_dtype=pl.String))
    if column.values:
        texts = texts.with_columns(pl.col(name).replace(column.values))
    texts = texts.with_columns(pl.col(name).str.strip_chars())
    kept = (
        texts.filter(pl.col(name).is_not_null() & ~pl.col(name).is_in(["", *nothing]))
        .group_by("row", maintain_order=True)
        .agg(name)
    )
    there = raw.select(value.is_not_null().alias("there")).with_row_index("row")
    found = there.join(kept, on="row", how="left", maintain_order="left")
    absent = None if column.default is None else [column.default]
    return found.select(
        pl.when("there").then(pl.col(name).fill_null([])).otherwise(pl.lit(absent, pl.List(pl.String))).alias(name)
    ).to_series()


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
        "changed": frames[CHANGED].rows() if CHANGED in frames else [],
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
