"""The catalogue as it was known on a day: of every item the newest line that had arrived by then.

Reads the catalogue files of the sources in the landing zone, writes the partition ``as_of`` of ``items``. On a day on which no
catalogue file arrived there is nothing to do: the newest partition before it still holds. A line that breaks a rule of the
contract is left out, counted by rule in the commit, and named in the log by its file and number.

``python -m jobs.items --as-of 1998-04-16``
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from datetime import date
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from jobs.landing import GRACE, LandingFile, item_files
from jobs.lines import Problem, read_lines
from jobs.spark import plan_for, spark_session, stage
from schemas.cli import day, log, run_command, run_id_default
from schemas.contract import load_contract
from schemas.errors import ClickwrightError, NothingToDo
from schemas.rules import to_spark
from schemas.settings import get_settings
from schemas.source import Items, Source, load_source
from schemas.staging import Attempt, open_attempt

LOGGED_LINES = 20


def parse_items(lines: DataFrame, items: Items, as_of: date) -> DataFrame:
    """Rows of ``items`` from raw lines, several for an item that came several times, and ``reasons`` beside them."""
    frame = lines.withColumn("json", F.try_parse_json("line"))
    schema = load_contract("items").spark_schema
    mapped = {f.name: _value(f.name, f.dataType.simpleString(), items) for f in schema.fields}
    frame = frame.withColumns({name: column for name, column in mapped.items() if name not in ("as_of", "first_seen")})
    # The arrival day of a line: hours up to the grace hour belong to the day before.
    arrived_on = F.to_date(F.col("arrived_at") - F.lit(GRACE) - F.expr("interval 1 microsecond"))
    frame = frame.withColumns({"as_of": F.lit(as_of), "first_seen": arrived_on})
    frame = frame.withColumn("text", F.coalesce("text", _description()))
    problem = F.coalesce("problem", F.when(F.col("json").isNull(), str(Problem.NOT_JSON)))
    broken = [F.when(to_spark(rule), F.lit(rule.id)) for rule in load_contract("items").rules]
    reasons = F.when(problem.isNotNull(), F.array(problem)).otherwise(F.array_compact(F.array(*broken)))
    return frame.withColumn("reasons", reasons)


def _value(name: str, kind: str, items: Items) -> Column:
    mapping = items.columns.get(name)
    if mapping is None:
        return F.lit(None).cast(kind)
    if mapping.constant is not None:
        return F.lit(mapping.constant).try_cast(kind)
    path = "$" + "".join(f"['{step}']" for step in str(mapping.path).split("."))
    return F.try_variant_get("json", path, kind)


def _description() -> Column:
    """The item in words: title (year): categories."""
    year = F.when(F.col("year").isNotNull(), F.concat(F.lit(" ("), F.col("year"), F.lit(")")))
    kinds = F.when(F.size("categories") > 0, F.concat(F.lit(": "), F.array_join("categories", ", ")))
    return F.concat_ws("", "title", year, kinds)


def newest_items(parsed: DataFrame) -> DataFrame:
    """One row an item: its newest line, and the day on which it was first seen."""
    of_item = Window.partitionBy("item_id")
    newest = of_item.orderBy(F.desc("arrived_at"), F.desc("source_file"), F.desc("line_number"))
    ranked = parsed.where(F.size("reasons") == 0).withColumns(
        {"first_seen": F.min("first_seen").over(of_item), "_newest": F.row_number().over(newest)}
    )
    return ranked.where("_newest = 1").select(load_contract("items").columns).orderBy("item_id").coalesce(1)


def expect_catalogue(as_of: date) -> list[tuple[Source, list[LandingFile]]]:
    """For each source with a catalogue its files up to a day.

    Raises:
        ClickwrightError: no catalogue arrived by then.
        NothingToDo: none arrived on that day.
    """
    settings = get_settings()
    sources = [source for source in map(load_source, settings.source_names) if source.items is not None]
    files = [(source, item_files(settings.landing_dir, source, as_of)) for source in sources]
    if not any(found for _, found in files):
        expected = ", ".join(str(settings.landing_dir / source.items.folder) for source in sources if source.items)
        raise ClickwrightError(f"no catalogue arrived by {as_of}; expected in {expected}; deliver it, then clear this task")
    if not any(file.arrived_on == as_of for _, found in files for file in found):
        raise NothingToDo(f"no catalogue file arrived on {as_of}; the one before it holds; nothing to do")
    return [(source, found) for source, found in files if found]


def build_items(
    spark: SparkSession, attempt: Attempt, as_of: date, catalogue: list[tuple[Source, list[LandingFile]]]
) -> dict[str, Any]:
    """Stage the catalogue as of a day, from what :func:`expect_catalogue` found."""
    plan_for(spark, sum(file.path.stat().st_size for _, files in catalogue for file in files))
    parsed = [parse_items(read_lines(spark, files), s.items, as_of) for s, files in catalogue if s.items is not None]
    rows = reduce(DataFrame.unionByName, parsed).persist()
    stage(attempt, "items", newest_items(rows), "as_of", [as_of])
    refused = rows.where(F.size("reasons") > 0).select("source_file", "line_number", "reasons").collect()
    for row in refused[:LOGGED_LINES]:
        log.warning("item left out", file=row["source_file"], line=row["line_number"], reasons=row["reasons"])
    reasons = dict(sorted(Counter(reason for row in refused for reason in row["reasons"]).items()))
    attempt.note(refused_items=reasons)
    return {"refused_items": reasons}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Stage the catalogue as of a day."""
    parser = argparse.ArgumentParser(description="Stage the catalogue of items as it was known on a day.")
    parser.add_argument("--as-of", type=day, required=True, help="arrival day up to which files count, YYYY-MM-DD")
    parser.add_argument("--run", default=run_id_default(), help="name of the run (default: this shell's)")
    args = parser.parse_args(argv)
    catalogue = expect_catalogue(args.as_of)
    spark = spark_session(f"items {args.as_of}")
    try:
        with open_attempt("items", args.run, inputs={}) as attempt:
            return build_items(spark, attempt, args.as_of, catalogue)
    finally:
        spark.stop()


if __name__ == "__main__":
    raise SystemExit(run_command(main))
