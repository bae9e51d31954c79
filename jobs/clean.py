"""Clean an arrival day: every raw line becomes an event, a reject with its reasons, or a counted duplicate. No line is lost.

Reads the landing files of the day. Stages ``events`` and ``rejects`` of that arrival day (audit and publish follow), and
``landing_files``, which records the size and digest of each file.
Duplicates are dropped within the arrival: a user's same event id with the same content, and the same behaviour repeated within
``CLICKWRIGHT_NEAR_DUPLICATE_SECONDS``. Bots and users with too many events are rejected. One exchange, by user.

``python -m jobs.clean --arrived-on 1998-04-16``
"""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

from pyspark.sql import SparkSession

from jobs.checking import check_mapping
from jobs.cleaning.accounting import accounts, digest_of, landing_rows
from jobs.cleaning.commit_notes import CONTENT_DIGEST, TOUCHED, date_ranges
from jobs.cleaning.expected_columns import expect_columns, expect_values
from jobs.cleaning.outcomes import Limits
from jobs.cleaning.stages import Day, decide_and_write, read_files
from jobs.exchange.exchange import buckets_for, exchange
from jobs.landing.files import expect_arrival, pieces_by_task
from jobs.landing.folders import tell_strays
from jobs.landing.published import ALLOW, blanked_lines, published_files, refuse_missing_files, refuse_shorter_files
from jobs.landing.readers import Bounds
from jobs.sessions.closing_dates import expect_possible
from schemas.contract import load_contract
from schemas.lake.filters import equals
from schemas.lake.lake import Lake, open_lake
from schemas.lake.pseudonym_key import pseudonym_key
from schemas.privacy.pseudonyms import NamedKey
from schemas.privacy.suppression_list import read_erased
from schemas.publishing.staging import Attempt, open_attempt
from schemas.runtime.cli import day, log, parser_of, run_command, run_id_default
from schemas.runtime.settings import Settings, get_settings
from schemas.source import Source, load_source
from schemas.spark.session import end_session, spark_session


def clean(
    spark: SparkSession,
    attempt: Attempt,
    lake: Lake,
    arrived_on: date,
    history: bool,
    sources: list[Source],
    settings: Settings,
    allow_missing_files: bool = False,
) -> dict[str, Any]:
    """Stage the events and rejects of an arrival day, and check the accounting.

    Args:
        spark: the session.
        attempt: the staged attempt.
        lake: the lake, for the event dates of an earlier run of the day.
        arrived_on: the arrival day.
        history: whether it is a history load, to which lateness does not apply.
        sources: the mappings.
        settings: the settings.
        allow_missing_files: whether files that the day was published from may be gone, and their lines with them.

    Returns:
        The accounting: counts of lines by outcome and reason.

    Raises:
        ClickwrightError: a file changed while it was read, or the records read are not events plus rejects plus duplicates.
        Refused: the day was published from files, or from lines, that the landing zone no longer holds; or no line has a value
            that every event needs.
    """
    attempt.builds_on("landing_files", lake.published_manifests("landing_files", [str(arrived_on)]))
    published = published_files(lake, arrived_on)
    files = expect_arrival(settings.landing_dir, sources, arrived_on)
    if not allow_missing_files:
        refuse_missing_files(published, files, arrived_on)
    pseudonym_key(settings)  # makes it for an empty lake
    of = Day(
        arrived_on,
        history,
        tuple(files),
        {source.name: source for source in sources},
        Limits.of(settings),
        Bounds.set_by(settings),
        NamedKey.of(settings),
        load_contract("events"),
        load_contract("rejects"),
        read_erased(settings),
        {table: attempt.folder(table) for table in ("events", "rejects")},
    )
    tasks, buckets = pieces_by_task(files, of.sources), buckets_for(sum(file.size for file in files))
    results = exchange(spark, tasks, buckets, partial(read_files, of), partial(decide_and_write, of))
    figures = accounts(results, files, sum(map(len, tasks)))
    expect_values(figures, sources, arrived_on)
    landed = landing_rows(results, files, arrived_on)
    if not allow_missing_files:
        refuse_shorter_files(published, landed, blanked_lines(settings), arrived_on)
    for table in ("events", "rejects"):
        attempt.replaces(table, "arrived_on", [arrived_on])
        attempt.wrote(table, [path for result in results for path in result["wrote"][table]])
    attempt.write_arrow("landing_files", landed, replaces=("arrived_on", [arrived_on]))
    attempt.note(**figures, files=len(files), landing=digest_of(landed), history=history)
    whole = sum(result["content"] for result in results) % 2**64
    attempt.note(
        **{TOUCHED: date_ranges(touched(lake, arrived_on, results)), CONTENT_DIGEST: f"{figures['events']}:{whole:016x}"}
    )
    return figures


def touched(lake: Lake, arrived_on: date, results: Sequence[dict[str, Any]]) -> set[date]:
    """The event dates of the arrival, now and at its previous run: sessions that depend on them may change.

    Args:
        lake: the lake.
        arrived_on: the arrival day.
        results: the results of all buckets.
    """
    before = lake.partitions("events", "event_date", where=equals("arrived_on", arrived_on))
    return {*before, *(date.fromisoformat(text) for result in results for text in result["event_dates"])}


def was_history(lake: Lake, arrived_on: date) -> bool:
    """Whether a day was published as a history load; a rerun gives the same rows only if it is one too.

    Args:
        lake: the lake.
        arrived_on: the arrival day.
    """
    published = lake.current_commits("events").get(str(arrived_on))
    return published is not None and bool(published.notes.get("history"))


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Stage one arrival day, or check a mapping."""
    parser = parser_of(
        "Clean an arrival day: stage its events and its rejects.",
        "python -m jobs.clean --check schemas/sources/shop.yaml part.jsonl.gz",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--arrived-on", type=day, help="arrival day, YYYY-MM-DD")
    what.add_argument(
        "--check",
        nargs=2,
        metavar=("SOURCE", "FILE"),
        help="show the outcome of each line of a file, and what to do next; writes nothing, needs no Spark",
    )
    what.add_argument(
        "--check-items",
        nargs=2,
        metavar=("SOURCE", "FILE"),
        help="the same for a file of the catalogue; --check does so for a file in the catalogue's folder",
    )
    parser.add_argument(
        "--history-since",
        type=lambda text: day(text) if text else None,
        help="a date; marks the arrival as a history load, to which lateness does not apply; a day that was published as one "
        "stays one",
    )
    parser.add_argument(
        ALLOW,
        action="store_true",
        help="process a published day again although the landing zone no longer holds all of its files; their lines go",
    )
    parser.add_argument("--run", default=run_id_default(), help="name of the run (default: this shell's)")
    args = parser.parse_args(argv)
    if args.check:
        return check_mapping.main(args.check)
    if args.check_items:
        return check_mapping.main([*args.check_items, "--items"])
    if args.history_since is not None:
        expect_possible(args.history_since, "--history-since")
    settings = get_settings()
    sources = [load_source(name) for name in settings.source_names]
    lake, allowed = open_lake(), args.allow_missing_files
    history = bool(args.history_since) or was_history(lake, args.arrived_on)
    files = expect_arrival(settings.landing_dir, sources, args.arrived_on)  # before the JVM starts
    if not allowed:
        refuse_missing_files(published_files(lake, args.arrived_on), files, args.arrived_on)
    expect_columns(files, {source.name: source for source in sources})
    pseudonym_key(settings)
    tell_strays(settings.landing_dir, settings.source_names)
    spark = spark_session(f"clean {args.arrived_on}")
    try:
        with open_attempt("clean", args.run, inputs={}) as attempt:
            figures = clean(spark, attempt, lake, args.arrived_on, history, sources, settings, allowed)
    finally:
        end_session(spark)
    log.info("staged", job="clean", arrived_on=str(args.arrived_on), **figures)
    return figures


if __name__ == "__main__":
    raise SystemExit(run_command(main))
