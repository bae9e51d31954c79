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

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.sessionize import first_arrivals
from jobs.spark import plan_for, read_table, spark_session, stage
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
CATEGORY, TERM = "category", "term"
DIGITS = 9


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
    known = interests(mine, items)
    return (
        activity.join(known, "user_id", "left")
        .withColumns({"as_of": F.lit(as_of), "segment": _segment()})
        .select(load_contract("profiles").columns)
        .orderBy("user_id")
        .coalesce(1)
    )


def _segment() -> Column:
    known = F.when(F.col("n_events") < CASUAL_FROM, "new").when(F.col("n_events") < REGULAR_FROM, "casual")
    return F.when(F.col("recency_days") > LAPSED_AFTER_DAYS, "lapsed").otherwise(known.otherwise("regular"))


def interests(weighted: DataFrame, items: DataFrame) -> DataFrame:
    """``user_id``, ``category_weights`` (shares, which sum to one), ``term_weights`` (the strongest, of length one together).

    Categories and words are summed in one pass. Weights are rounded to nine digits, so that they do not depend on the order in
    which Spark adds them up.
    """
    features = weighted.join(F.broadcast(item_features(items)), "item_id")
    each = features.select("user_id", "weight", F.explode("features").alias("f"))
    kind, term = F.col("f.kind").alias("kind"), F.col("f.term").alias("term")
    sums = each.groupBy("user_id", kind, term).agg(F.round(F.sum(F.col("weight") * F.col("f.factor")), DIGITS).alias("weight"))
    strongest_first = F.struct((-F.col("weight")).alias("order"), "term", "weight", "kind")
    users = sums.groupBy("user_id").agg(F.array_sort(F.collect_list(strongest_first)).alias("all"))
    categories = F.filter("all", lambda e: e["kind"] == CATEGORY)
    terms = F.slice(F.filter("all", lambda e: (e["kind"] == TERM) & (e["weight"] > 0)), 1, TOP_TERMS)
    whole = F.aggregate(categories, F.lit(0.0), lambda total, e: total + e["weight"])
    length = F.sqrt(F.aggregate(terms, F.lit(0.0), lambda total, e: total + e["weight"] * e["weight"]))
    return users.select(
        "user_id", _as_map(categories, whole).alias("category_weights"), _as_map(terms, length).alias("term_weights")
    )


def item_features(items: DataFrame) -> DataFrame:
    """``item_id``, ``features``: its categories, each with factor 1, and the words of its text with their ln(N / df)."""
    words = F.array_distinct(F.split(F.lower("text"), r"[^\p{L}\p{N}']+"))
    terms = items.select("item_id", F.explode(words).alias("term")).where(F.length("term") >= SHORTEST_TERM)
    idf = terms.groupBy("term").agg(F.log(F.lit(float(max(items.count(), 1))) / F.count("*")).alias("factor"))
    of_words = terms.join(idf, "term").select("item_id", F.lit(TERM).alias("kind"), "term", "factor")
    kinds = items.select(
        "item_id", F.lit(CATEGORY).alias("kind"), F.explode("categories").alias("term"), F.lit(1.0).alias("factor")
    )
    both = of_words.unionByName(kinds)
    return both.groupBy("item_id").agg(F.collect_list(F.struct("kind", "term", "factor")).alias("features"))


def _as_map(entries: Column, divisor: Column) -> Column:
    pairs = F.transform(
        entries, lambda e: F.struct(e["term"].alias("key"), F.round(e["weight"] / divisor, DIGITS).alias("value"))
    )
    return F.map_from_entries(pairs)


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
            plan_for(spark, lake.size("events", arrived, inputs["events"]))
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
