"""The order of events equals a plain sort by user, time and id, for strings and categoricals."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from jobs.sessions.rules import ORDER, in_order

MOMENTS = st.sampled_from([0, 1, 2, 86_400_000_000, 10**15]) | st.integers(0, 2 * 10**17)
USERS, SOURCES = st.sampled_from(["u", "v", "é", "\x00", ""]), st.sampled_from(["shop", "news"])
LOGS = st.lists(st.tuples(USERS, MOMENTS, st.text("0ab", max_size=3), SOURCES), max_size=40)
SCHEMA = {"user_id": pl.String, "event_time": pl.Datetime("us", "UTC"), "event_id": pl.String, "source": pl.String}


@given(log=LOGS, dictionary=st.booleans())
def test_order_equals_a_plain_sort(log: list[tuple[str, int, str, str]], dictionary: bool) -> None:
    start = datetime(1990, 1, 1, tzinfo=UTC)
    rows = [(user, start + timedelta(microseconds=micros), *rest) for user, micros, *rest in log]
    events = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    given = events.with_columns(pl.col("user_id").cast(pl.Categorical)) if dictionary else events
    assert in_order(given).with_columns(pl.col("user_id").cast(pl.String)).equals(events.sort([*ORDER, "source"]))
