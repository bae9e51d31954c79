"""Profiles: each user's interests by the end of an arrival day.

Reads ``events`` that had arrived by then and the newest catalogue of the time, writes the partition ``as_of`` of ``profiles``.
Recent behaviour counts more: its weight halves every 30 days. Words are weighted by TF-IDF over the catalogue
(Salton and Buckley, 1988: tf times ln(N / df), vectors of length one).

``python -m jobs.profiles --as-of 1998-04-16``
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from jobs.cleaning.event_identity import first_arrivals
from jobs.exchange.exchange import Exchange, buckets_for, exchange
from jobs.exchange.parquet_writer import write_partitions
from jobs.exchange.tasks import in_tasks, read_rows
from schemas.contract import Contract, load_contract
from schemas.lake.filters import at_most, equals
from schemas.lake.lake import Lake, open_lake
from schemas.lake.snapshots import add_snapshot_option, catalogue_of, inputs_for
from schemas.publishing.staging import Attempt, open_attempt
from schemas.runtime.cli import day, log, parser_of, run_command, run_id_default
from schemas.source import catalogue_tables
from schemas.spark.session import end_session, spark_session

HALF_LIFE_DAYS = 30
TOP_TERMS = 10
SHORTEST_TERM = 3
LAPSED_AFTER_DAYS = 30
CASUAL_FROM, REGULAR_FROM = 5, 50
CATEGORY, TERM = "category", "term"
DIGITS = 9
EVENTS = "events"
EVENT_COLUMNS = ["user_id", "source", "event_id", "event_time", "event_date", "item_id", "value", "arrived_on"]
ITEM_COLUMNS = ["item_id", "as_of", "text", "categories"]
WEIGHTS = pl.Map(pl.String, pl.Float64)


@dataclass(frozen=True)
class Interests:
    """The inputs that all tasks of one build share."""

    as_of: date
    catalogue_of: date | None
    """None if no source has a catalogue; interests then have no words."""
    events: tuple[str, ...]
    items: tuple[str, ...]
    contract: Contract
    folder: Path


def read_events(of: Interests, numbers: list[int]) -> Iterator[tuple[str, pl.DataFrame, str | None]]:
    """First stage: the events that had arrived by then, by user.

    Args:
        of: the build.
        numbers: the numbers of this task's files.
    """
    for number in numbers:
        for rows in read_rows(of.events[number], EVENT_COLUMNS, EVENTS):
            yield EVENTS, rows.filter(pl.col("arrived_on") <= of.as_of), "user_id"


def profile_and_write(of: Interests, bucket: int, frames: dict[str, pl.DataFrame]) -> Iterator[dict[str, Any]]:
    """Second stage: write the profiles of the users of a bucket.

    Args:
        of: the build.
        bucket: its number.
        frames: the rows of :func:`read_events`.
    """
    nothing = load_contract("items").polars_schema.to_frame().select(ITEM_COLUMNS)
    items = pl.concat([nothing, *(rows for path in of.items for rows in read_rows(path, ITEM_COLUMNS, "items"))])
    rows = profiles(frames[EVENTS], items.filter(pl.col("as_of") == of.catalogue_of), of.as_of)
    yield {"wrote": write_partitions(rows.select(of.contract.columns), of.contract, of.folder)}


def profiles(events: pl.DataFrame, items: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """One row for each user, sorted by user.

    Args:
        events: rows of ``events`` that had arrived by ``as_of``, of whole users; copies count once.
        items: the catalogue of the time.
        as_of: the arrival day.
    """
    mine = first_arrivals(events)
    age = (pl.lit(as_of) - pl.col("event_date")).dt.total_days().clip(lower_bound=0)
    mine = mine.with_columns(weight=pl.lit(0.5).pow(age / HALF_LIFE_DAYS))
    activity = mine.group_by("user_id").agg(
        n_events=pl.len().cast(pl.Int32),
        first_seen=pl.col("event_time").min(),
        last_seen=pl.col("event_time").max(),
        recency_days=(pl.lit(as_of) - pl.col("event_date").max()).dt.total_days().cast(pl.Int32),
        active_days=pl.col("event_date").n_unique().cast(pl.Int32),
        value_sum=pl.when(pl.col("value").is_not_null().any()).then(pl.col("value").sum().round(DIGITS)),
    )
    known = interests(mine, items)
    rows = activity.join(known, on="user_id", how="left")
    return rows.with_columns(as_of=pl.lit(as_of), segment=_segment()).sort("user_id")


def _segment() -> pl.Expr:
    few = pl.when(pl.col("n_events") < CASUAL_FROM).then(pl.lit("new"))
    some = few.when(pl.col("n_events") < REGULAR_FROM).then(pl.lit("casual")).otherwise(pl.lit("regular"))
    return pl.when(pl.col("recency_days") > LAPSED_AFTER_DAYS).then(pl.lit("lapsed")).otherwise(some)


def interests(weighted: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """``user_id``, ``category_weights`` (sum to one) and ``term_weights`` (the strongest terms, a vector of length one).

    Sums are rounded to nine digits, so that they do not depend on the order of addition.

    Args:
        weighted: events with ``user_id``, ``item_id`` and ``weight``.
        items: the catalogue.
    """
    of_items = weighted.drop_nulls("item_id").group_by("user_id", "item_id").agg(pl.col("weight").sum())
    each = of_items.join(item_features(items), on="item_id")
    weight = (pl.col("weight") * pl.col("factor")).sum().round(DIGITS)
    sums = each.group_by("user_id", "kind", "term").agg(weight=weight)
    sums = sums.sort("user_id", pl.col("weight").neg(), "term")
    terms = (
        sums.filter((pl.col("kind") == TERM) & (pl.col("weight") > 0)).group_by("user_id", maintain_order=True).head(TOP_TERMS)
    )
    categories = sums.filter(pl.col("kind") == CATEGORY)
    length = (pl.col("weight") ** 2).sum().sqrt()
    users = sums.select("user_id").unique()
    users = users.join(_as_map(categories, pl.col("weight").sum(), "category_weights"), on="user_id", how="left")
    users = users.join(_as_map(terms, length, "term_weights"), on="user_id", how="left")
    return users.with_columns(pl.col("category_weights", "term_weights").fill_null(pl.lit([], pl.List(PAIR))).cast(WEIGHTS))


PAIR = pl.Struct({"key": pl.String, "value": pl.Float64})


def _as_map(entries: pl.DataFrame, whole: pl.Expr, name: str) -> pl.DataFrame:
    """One row for each user: the weights of its terms divided by the total, strongest first."""
    part = (pl.col("weight") / whole).over("user_id").round(DIGITS)
    pairs = pl.struct(key="term", value=part)
    return entries.with_columns(pair=pairs).group_by("user_id", maintain_order=True).agg(pl.col("pair").alias(name))


def item_features(items: pl.DataFrame) -> pl.DataFrame:
    """``item_id``, ``kind``, ``term``, ``factor``: categories of an item with factor 1, words of its text with ln(N / df).

    >>> items = pl.DataFrame({"item_id": ["1", "2"], "text": ["Red shoes", "red hat"], "categories": [["Shoes"], ["Hats"]]})
    >>> rows = item_features(items).sort("item_id", "kind", "term").select("item_id", "term", "factor").rows()
    >>> [(item, term, round(factor, 2)) for item, term, factor in rows]
    [('1', 'Shoes', 1.0), ('1', 'red', 0.0), ('1', 'shoes', 0.69), ('2', 'Hats', 1.0), ('2', 'hat', 0.69), ('2', 'red', 0.0)]
    """
    words = pl.col("text").str.to_lowercase().str.extract_all(r"[\p{L}\p{N}']+").list.unique()
    terms = items.select("item_id", term=words).explode("term").filter(pl.col("term").str.len_chars() >= SHORTEST_TERM)
    of_words = terms.with_columns(kind=pl.lit(TERM), factor=(len(items) / pl.len().over("term")).log())
    kinds = items.select("item_id", term="categories").explode("term").drop_nulls("term")
    kinds = kinds.with_columns(kind=pl.lit(CATEGORY), factor=pl.lit(1.0))
    return pl.concat([of_words, kinds])


def stage_profiles(run: Exchange, attempt: Attempt, lake: Lake, as_of: date) -> None:
    """Stage the profiles as of a day, from the snapshots that are the attempt's inputs.

    Args:
        run: :func:`jobs.exchange.exchange.exchange`, bound to a session.
        attempt: the staged attempt.
        lake: the lake.
        as_of: the arrival day.
    """
    inputs, arrived = attempt.inputs, at_most("arrived_on", as_of)
    known = catalogue_of(lake, inputs, as_of)
    events = lake.sized_files("events", arrived, inputs["events"])
    items = [] if known is None else lake.files("items", equals("as_of", known), inputs["items"])
    contract, folder = load_contract("profiles"), attempt.folder("profiles")
    of = Interests(as_of, known, tuple(events), tuple(items), contract, folder)
    stages = partial(read_events, of), partial(profile_and_write, of)
    results = run(in_tasks(events.values()), buckets_for(sum(events.values())), *stages)
    attempt.replaces("profiles", "as_of", [as_of])
    attempt.wrote("profiles", [path for result in results for path in result["wrote"]])
    words = {} if known is None else {"items": f"as_of = '{known}'"}
    attempt.note(reads={"events": f"arrived_on <= '{as_of}'", **words})


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Stage the profiles as of a day."""
    parser = parser_of(
        "Stage each user's interests by the end of an arrival day.", "python -m jobs.profiles --as-of 1998-04-16"
    )
    parser.add_argument("--as-of", type=day, required=True, help="arrival day up to which events count, YYYY-MM-DD")
    add_snapshot_option(parser)
    parser.add_argument("--run", default=run_id_default(), help="name of the run (default: this shell's)")
    args = parser.parse_args(argv)
    lake = open_lake()
    inputs = inputs_for(lake, ["events", *catalogue_tables(lake.settings)], args.as_of_snapshot)
    catalogue_of(lake, inputs, args.as_of)  # before the JVM starts
    spark = spark_session(f"profiles {args.as_of}")
    try:
        with open_attempt("profiles", args.run, inputs) as attempt:
            stage_profiles(partial(exchange, spark), attempt, lake, args.as_of)
    finally:
        end_session(spark)
    log.info("staged", job="profiles", as_of=str(args.as_of))
    return {"as_of": args.as_of}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
