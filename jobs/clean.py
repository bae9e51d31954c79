"""Clean an arrival day: every raw line becomes an event, a reject with its reasons, or a counted duplicate. Nothing vanishes.

Reads the landing files of the day, writes ``events`` and ``rejects`` of that arrival day (staged; then audit and publish).
Duplicates are dropped within the arrival: the same event id with the same content, and the same behaviour again within
``CLICKWRIGHT_NEAR_DUPLICATE_SECONDS``. Robots and runaway users are set aside with a reason.

``python -m jobs.clean --arrived-on 1998-04-16``
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from jobs.landing import expect_arrival
from jobs.lines import read_lines
from jobs.parse import LineReason, parse
from jobs.spark import plan_for, spark_session, stage
from schemas.cli import day, log, run_command, run_id_default
from schemas.contract import load_contract
from schemas.errors import ClickwrightError
from schemas.settings import Settings, get_settings
from schemas.source import Source, load_source
from schemas.staging import Attempt, open_attempt


class Fate(StrEnum):
    """What becomes of a line."""

    EVENT = "event"
    REJECT = "reject"
    EXACT_DUPLICATE = "exact_duplicate"
    NEAR_DUPLICATE = "near_duplicate"


def decide(candidates: DataFrame, near_duplicate_seconds: float, robot_events_per_day: int) -> DataFrame:
    """Give every candidate its ``fate``; those rejected here get their reason.

    Args:
        candidates: as :func:`jobs.parse.parse` gives them.
        near_duplicate_seconds: the same behaviour of a user again within this time is a duplicate.
        robot_events_per_day: a user with more events in a UTC day is no person.
    """
    return _near_duplicates(_runaways(_same_ids(candidates), robot_events_per_day), near_duplicate_seconds)


def _sound() -> Column:
    return F.size("reasons") == 0


def _same_ids(candidates: DataFrame) -> DataFrame:
    """Of the sound lines with one event id the first counts; the same again is a duplicate, other content a conflict."""
    same_id = Window.partitionBy("source", "event_id", _sound()).orderBy("arrived_at", "source_file", "line_number")
    content = F.struct("user_id", "event_type", "event_time", "item_id", "value", "text")
    again = _sound() & (F.row_number().over(same_id) > 1)
    conflict = again & ~content.eqNullSafe(F.first(content).over(same_id))
    frame = candidates.withColumns({"again": again, "conflict": conflict})
    fate = F.when(~_sound() | F.col("conflict"), Fate.REJECT).when(F.col("again"), Fate.EXACT_DUPLICATE).otherwise(Fate.EVENT)
    return _with_reason(frame.withColumn("fate", fate), F.col("conflict"), LineReason.ID_CONFLICT)


def _runaways(frame: DataFrame, cap: int) -> DataFrame:
    """Set aside the users who did more in a day than a person does."""
    of_day = Window.partitionBy("user_id", "event_date")
    is_event = F.col("fate") == Fate.EVENT
    runaway = is_event & (F.sum(is_event.cast("int")).over(of_day) > cap)
    frame = frame.withColumn("runaway", runaway)
    frame = _with_reason(frame, F.col("runaway"), LineReason.ROBOT_TOO_MANY)
    return frame.withColumn("fate", F.when(F.col("runaway"), Fate.REJECT).otherwise(F.col("fate")))


def _near_duplicates(frame: DataFrame, seconds: float) -> DataFrame:
    """The same behaviour within some seconds of the one before it, under another id: the earlier one counts."""
    same = Window.partitionBy("user_id", "event_date", "event_type", "item_id", "value", "text", F.col("fate"))
    before = F.lag(F.unix_micros("event_time")).over(same.orderBy("event_time", "event_id"))
    close = (F.unix_micros("event_time") - before) <= seconds * 1e6
    near = (F.col("fate") == Fate.EVENT) & F.col("item_id").isNotNull() & F.coalesce(close, F.lit(False))
    return frame.withColumn("fate", F.when(near, Fate.NEAR_DUPLICATE).otherwise(F.col("fate")))


def _with_reason(frame: DataFrame, where: Column, reason: str) -> DataFrame:
    return frame.withColumn("reasons", F.when(where, F.array_append("reasons", F.lit(str(reason)))).otherwise(F.col("reasons")))


def events_of(decided: DataFrame) -> DataFrame:
    """The rows of ``events``."""
    events = decided.where(F.col("fate") == Fate.EVENT).select(load_contract("events").columns)
    return events.repartition("event_date").sortWithinPartitions("event_date", "user_id", "event_time", "event_id")


def rejects_of(decided: DataFrame) -> DataFrame:
    """The rows of ``rejects``: where it stood, every reason, what may be kept of it."""
    candidate = F.struct(*load_contract("events").columns)
    unreadable = F.col("reasons")[0].rlike(r"^(line|file)\.")
    return (
        decided.where(F.col("fate") == Fate.REJECT)
        .withColumns({"line": F.col("masked_line"), "candidate": F.when(~unreadable, candidate)})
        .select(load_contract("rejects").columns)
        .coalesce(1)
        .sortWithinPartitions("source_file", "line_number")
    )


def clean(
    spark: SparkSession,
    attempt: Attempt,
    arrived_on: date,
    history: bool,
    sources: list[Source],
    settings: Settings,
) -> dict[str, Any]:
    """Stage the events and rejects of an arrival day, and hold the accounts.

    Raises:
        ClickwrightError: lines read are not events plus rejects plus duplicates.
    """
    files = expect_arrival(settings.landing_dir, sources, arrived_on)
    plan_for(spark, sum(file.path.stat().st_size for file in files))
    lines = read_lines(spark, files)
    key = settings.pseudonym_secret()
    of_sources = [
        parse(lines.where(F.col("source") == s.name), s, key, arrived_on, history) for s in sources if s.delivers_on(arrived_on)
    ]
    candidates = reduce(DataFrame.unionByName, of_sources)
    decided = decide(candidates, settings.near_duplicate_seconds, settings.robot_events_per_day).persist()
    stage(attempt, "rejects", rejects_of(decided), "arrived_on", [arrived_on])
    stage(attempt, "events", events_of(decided), "arrived_on", [arrived_on])
    figures = accounts(decided, lines)
    decided.unpersist()
    attempt.note(**figures, files=len(files), history=history)
    return figures


def accounts(decided: DataFrame, lines: DataFrame) -> dict[str, Any]:
    """Count lines by fate and by reason, and check that none is missing.

    The lines are counted a second time, straight from the files, so that a line lost on the way would show.
    """
    late = F.col("days_late") > 0
    groups = decided.groupBy("fate", "reasons", F.coalesce(late, F.lit(False)).alias("late")).count().collect()
    fates, reasons = Counter[str](), Counter[str]()
    for group in groups:
        fates[group["fate"]] += group["count"]
        if group["fate"] == Fate.REJECT:
            reasons.update(dict.fromkeys(group["reasons"], group["count"]))
    figures = {
        "lines_read": lines.count(),
        "events": fates[Fate.EVENT],
        "rejects": fates[Fate.REJECT],
        "duplicates": fates[Fate.EXACT_DUPLICATE] + fates[Fate.NEAR_DUPLICATE],
        "exact_duplicates": fates[Fate.EXACT_DUPLICATE],
        "near_duplicates": fates[Fate.NEAR_DUPLICATE],
        "late_events": sum(g["count"] for g in groups if g["late"] and g["fate"] == Fate.EVENT),
        "reasons": dict(sorted(reasons.items())),
    }
    accounted = figures["events"] + figures["rejects"] + figures["duplicates"]
    if figures["lines_read"] != accounted:
        raise ClickwrightError(
            f"{figures['lines_read']} lines were read but {accounted} are accounted for; in jobs.clean; "
            "nothing was published: did a landing file change while it was read? Run it again"
        )
    return figures


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Stage one arrival day."""
    parser = argparse.ArgumentParser(description="Clean an arrival day: stage its events and its rejects.")
    parser.add_argument("--arrived-on", type=day, required=True, help="arrival day, YYYY-MM-DD")
    parser.add_argument(
        "--history-since",
        default="",
        help="a date: the arrival is a history load, to which lateness does not apply",
    )
    parser.add_argument("--run", default=run_id_default(), help="name of the run (default: this shell's)")
    args = parser.parse_args(argv)
    settings = get_settings()
    sources = [load_source(name) for name in settings.source_names]
    expect_arrival(settings.landing_dir, sources, args.arrived_on)  # before the JVM starts
    spark = spark_session(f"clean {args.arrived_on}")
    try:
        with open_attempt("clean", args.run, inputs={}) as attempt:
            figures = clean(spark, attempt, args.arrived_on, bool(args.history_since), sources, settings)
    finally:
        spark.stop()
    log.info("staged", job="clean", arrived_on=str(args.arrived_on), **figures)
    return figures


if __name__ == "__main__":
    raise SystemExit(run_command(main))
