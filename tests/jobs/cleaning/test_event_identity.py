"""The identity of an event: its source, its user and its id."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from jobs.cleaning.event_identity import conflicts, first_arrivals
from jobs.cleaning.outcomes import near_duplicates, same_ids
from schemas.outcomes import Outcome

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
D = date(2026, 11, 10)


def lines(*rows: tuple[str, str, str, str]) -> pl.DataFrame:
    """Rows of (user, source, event id, item) in the order in which they arrived, each a minute after the one before."""
    names = ["user_id", "source", "event_id", "item_id"]
    frame = pl.DataFrame(rows, schema=names, orient="row").with_row_index("_row")
    return frame.with_columns(
        event_time=pl.Series([NOON] * len(rows)),
        event_date=pl.lit(D),
        event_type=pl.lit("view"),
        value=pl.lit(None, pl.Float64),
        text=pl.lit(None, pl.String),
        surface=pl.lit(None, pl.String),
        position=pl.lit(None, pl.Int32),
        arrived_at=pl.lit(NOON),
        source_file=pl.lit("f"),
        line_number=pl.int_range(1, pl.len() + 1),
        arrived_on=pl.Series([D + timedelta(days=i) for i in range(len(rows))]),
        outcome=pl.lit(str(Outcome.EVENT)),
    )


def test_same_id_of_two_users_or_sources_is_two_events() -> None:
    log = lines(("stranger", "s", "1", "x"), ("ann", "s", "1", "a"), ("ann", "app", "1", "b"))
    duplicates, found, _ = same_ids(log)
    assert [len(rows) for rows in duplicates.values()] in ([], [0])
    assert len(found) == 0
    assert len(first_arrivals(log)) == 3
    assert len(conflicts(log)) == 0


def test_same_id_of_one_user_is_a_copy_or_a_conflict() -> None:
    log = lines(("ann", "s", "1", "a"), ("bob", "s", "1", "x"), ("ann", "s", "1", "a"), ("ann", "s", "1", "b"))
    duplicates, found, _ = same_ids(log)
    assert duplicates[Outcome.EXACT_DUPLICATE].to_list() == [2]
    assert found.to_list() == [3]
    assert conflicts(log).select("user_id", "arrived_on", "kept_on").rows() == [("ann", D + timedelta(days=3), D)]


def test_near_duplicate_of_two_sources_does_not_depend_on_the_order_of_rows() -> None:
    log = lines(("ann", "s", "1", "a"), ("ann", "app", "1", "a"))
    kept = [
        log.filter(~pl.col("_row").is_in(near_duplicates(rows, 2).implode()))["source"].to_list() for rows in (log, log[::-1])
    ]
    assert kept == [["app"], ["app"]]
