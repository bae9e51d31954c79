"""Profiles: what is known of each user's interests by the end of an arrival day.

Reads ``events`` that had arrived by then and the newest catalogue of the time, writes the partition ``as_of`` of ``profiles``.
Recent behaviour counts more: its weight halves every 30 days. Words are weighted by TF-IDF over the catalogue
(Salton and Buckley, 1988: tf times ln(N / df), vectors of length one).

``python -m jobs.profiles --as-of 1998-04-16``
"""

import argparse
from collections.abc import Sequence
from datetime import date
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.sessionize import first_arrivals
from jobs.spark import read_table, spark_session, stage
from schemas.cli import day, log, run_command, run_id_default
from schemas.contract import load_contract
from schemas.lake import open_lake
from schemas.staging import open_attempt
from schemas.where import at_most, equals

HALF_LIFE_DAYS = 30
TOP_TERMS = 10
SHORTEST_TERM = 3
LAPSED_AFTER_DAYS = 30
CASUAL_FROM, REGULAR_FROM = 5, 50


def profiles(events: DataFrame, items: DataFrame, as_of: date) -> DataFrame:
    """One row a user.

    Args:
        events: rows of ``events`` that had arrived by ``as_of``; copies count once.
        items: the catalogue of ``as_of``.
        as_of: the arrival day.
    """
    mine = first_arrivals(events).select("user_id", "event_time", "event_date", "item_id", "value")
    age = F.greatest(F.date_diff(F.lit(as_of), F.col("event_date")), F.lit(0))
    mine = mine.withColumn("weight", F.pow(F.lit(0.5), age / F.lit(float(HALF_LIFE_DAYS)))).persist()
    activity = mine.groupBy("user_id").agg(
        F.count("*").cast("int").alias("n_events"),
        F.min("event_time").alias("first_seen"),
        F.max("event_time").alias("last_seen"),
        F.date_diff(F.lit(as_of), F.max("event_date")).alias("recency_days"),
        F.count_distinct("event_date").cast("int").alias("active_days"),
        F.sum("value").alias("value_sum"),
    )
    interests = category_weights(mine, items).join(term_weights(mine, items), "user_id", "full")
    return (
        activity.join(interests, "user_id", "left")
        .withColumns({"as_of": F.lit(as_of), "segment": _segment()})
        .select(load_contract("profiles").columns)
        .orderBy("user_id")
        .coalesce(1)
    )


def _segment() -> Column:
    known = F.when(F.col("n_events") < CASUAL_FROM, "new").when(F.col("n_events") < REGULAR_FROM, "casual")
    return F.when(F.col("recency_days") > LAPSED_AFTER_DAYS, "lapsed").otherwise(known.otherwise("regular"))


def category_weights(weighted: DataFrame, items: DataFrame) -> DataFrame:
    """``user_id``, ``category_weights``: the share of each category in the weighted behaviour; sums to one."""
    kinds = items.select("item_id", F.explode("categories").alias("term"))
    shares = weighted.join(kinds, "item_id").groupBy("user_id", "term").agg(F.sum("weight").alias("weight"))
    whole = F.sum("weight").over(Window.partitionBy("user_id"))
    return _as_map(shares.withColumn("weight", F.col("weight") / whole), "category_weights")


def term_weights(weighted: DataFrame, items: DataFrame) -> DataFrame:
    """``user_id``, ``term_weights``: the strongest words of the items' texts by TF-IDF, of length one together."""
    words = F.array_distinct(F.split(F.lower("text"), r"[^\p{L}\p{N}']+"))
    terms = items.select("item_id", F.explode(words).alias("term")).where(F.length("term") >= SHORTEST_TERM)
    n_items = items.count()
    idf = terms.groupBy("term").agg(F.log(F.lit(float(max(n_items, 1))) / F.count("*")).alias("idf"))
    counted = weighted.join(terms, "item_id").groupBy("user_id", "term").agg(F.sum("weight").alias("tf"))
    scored = counted.join(idf, "term").withColumn("weight", F.col("tf") * F.col("idf")).where("weight > 0")
    strongest = Window.partitionBy("user_id").orderBy(F.desc("weight"), "term")
    top = scored.withColumn("_rank", F.row_number().over(strongest)).where(F.col("_rank") <= TOP_TERMS)
    length = F.sqrt(F.sum(F.col("weight") * F.col("weight")).over(Window.partitionBy("user_id")))
    return _as_map(top.withColumn("weight", F.col("weight") / length), "term_weights")


def _as_map(weights: DataFrame, name: str) -> DataFrame:
    """One map a user, strongest first, so that the same weights make the same bytes."""
    entries = F.array_sort(F.collect_list(F.struct((-F.col("weight")).alias("order"), "term", "weight")))
    pairs = F.transform(entries, lambda e: F.struct(e["term"].alias("key"), e["weight"].alias("value")))
    return weights.groupBy("user_id").agg(F.map_from_entries(pairs).alias(name))


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Stage the profiles as of a day."""
    parser = argparse.ArgumentParser(description="Stage what is known of each user by the end of an arrival day.")
    parser.add_argument("--as-of", type=day, required=True, help="arrival day up to which events count, YYYY-MM-DD")
    parser.add_argument("--run", default=run_id_default(), help="name of the run (default: this shell's)")
    args = parser.parse_args(argv)
    lake = open_lake()
    known = lake.newest_partition("items", "as_of", args.as_of)
    inputs = {name: int(lake.table(name).metadata.current_snapshot_id or 0) for name in ("events", "items")}
    spark = spark_session(f"profiles {args.as_of}")
    try:
        with open_attempt("profiles", args.run, inputs) as attempt:
            arrived = at_most("arrived_on", args.as_of)
            events = read_table(spark, lake, "events", arrived, inputs["events"]).where(
                F.col("arrived_on") <= F.lit(args.as_of)
            )
            items = read_table(spark, lake, "items", equals("as_of", known), inputs["items"]).where(
                F.col("as_of") == F.lit(known)
            )
            stage(attempt, "profiles", profiles(events, items.persist(), args.as_of), "as_of", [args.as_of])
    finally:
        spark.stop()
    log.info("staged", job="profiles", as_of=str(args.as_of))
    return {"as_of": args.as_of}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
