"""Sessions follow the rules exactly, for any range of days, in one exchange."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs.sessionize import sessionize, summarize
from jobs.sessions.closing import closing_sessions
from jobs.sessions.lookback import look_ahead, look_back
from tests.jobs import oracle
from tests.jobs.oracle import Event

pytestmark = pytest.mark.slow
GAP = timedelta(minutes=30)
SECOND = timedelta(seconds=1)
D = date(2026, 11, 20)


def at(text: str, day: int = 20) -> datetime:
    """A time of November 2026, such as ``at("23:50", 20)``."""
    clock = [int(part) for part in text.split(":")]
    return datetime(2026, 11, day, *clock, tzinfo=UTC)


def log_of(*times: datetime, user: str = "u") -> list[Event]:
    return [Event(user, time, f"{user}{i}") for i, time in enumerate(times)]


def frame(spark: SparkSession, log: list[Event]) -> Any:
    """The log as a Spark frame of events."""
    return spark.createDataFrame([event._asdict() for event in log], "user_id string, event_time timestamp, event_id string")


def rows_of(log: list[Event], arrived_on: date = D) -> pl.DataFrame:
    """The log as rows of ``events``, with the columns that sessions need."""
    rows = [{**event._asdict(), "source": "s", "arrived_on": arrived_on, "item_id": "i"} for event in log]
    return pl.DataFrame(rows, schema_overrides={"event_time": pl.Datetime("us", "UTC")})


def in_sessions(spark: SparkSession, log: list[Event], gap: timedelta = GAP) -> list[list[str]]:
    """The event ids of each session, in order."""
    rows = sessionize(frame(spark, log), gap).orderBy("user_id", "event_time", "event_id").collect()
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["session_id"], []).append(row["event_id"])
        assert row["position"] == len(found[row["session_id"]]) - 1
    return list(found.values())


def test_gap_of_exactly_thirty_minutes_does_not_split(spark: SparkSession) -> None:
    start = at("09:00")
    exact, more = start + GAP, start + GAP + GAP + timedelta(microseconds=1)
    assert in_sessions(spark, log_of(start, exact, more)) == [["u0", "u1"], ["u2"]]


def test_second_midnight_cuts_a_session(spark: SparkSession) -> None:
    every = timedelta(minutes=20)
    chain = [at("23:40", 19) + i * every for i in range(3 * 24 * 3)]
    sizes = [len(session) for session in in_sessions(spark, log_of(*chain))]
    assert sizes == [1 + 72, 72, 71]  # 19 and 20 November together, then one session a day


def test_simultaneous_events_are_ordered_by_id(spark: SparkSession) -> None:
    log = [Event("u", at("09:00"), name) for name in ("c", "a", "b")]
    assert in_sessions(spark, log) == [["a", "b", "c"]]


def test_session_id_depends_on_user_and_first_event(spark: SparkSession) -> None:
    log = log_of(at("09:00"), at("09:10"))
    alone = {r["session_id"] for r in sessionize(frame(spark, log)).collect()}
    more = log + log_of(at("09:20"), at("11:00"), user="v") + [Event("u", at("09:15"), "late")]
    beside = sessionize(frame(spark, more)).where("event_id = 'u0'").collect()
    assert alone == {beside[0]["session_id"]}


def test_null_in_another_column_stays_null(spark: SparkSession) -> None:
    from pyspark.sql import functions as F

    rows = sessionize(frame(spark, log_of(at("09:00"))).withColumn("note", F.lit(None).cast("string"))).collect()
    assert rows[0]["note"] is None


def test_summary_has_one_row_per_session(spark: SparkSession) -> None:
    from pyspark.sql import functions as F

    log = log_of(at("09:00"), at("09:10"), at("09:40"))
    events = frame(spark, log).withColumn("item_id", F.when(F.col("event_id") == "u1", "x").otherwise("y"))
    (row,) = summarize(sessionize(events)).collect()
    assert row["started_at"] == at("09:00").replace(tzinfo=None)
    assert (row["duration_s"], row["n_events"], row["n_items"]) == (2400.0, 3, 2)
    assert (row["first_event_id"], row["last_event_id"]) == ("u0", "u2")


def test_first_arrival_of_a_repeated_event_counts() -> None:
    log = log_of(at("09:00"), at("09:10"))
    twice = pl.concat([rows_of(log, arrived_on=D + timedelta(days=1)), rows_of(log)])
    rows, sessions = closing_sessions(twice, [D], GAP)
    assert rows.select("event_id", "arrived_on").rows() == [("u0", D), ("u1", D)]
    assert sessions["n_events"].to_list() == [2]


def test_same_event_id_in_two_sources_is_two_events_and_two_sessions() -> None:
    log = log_of(at("09:00"), at("09:10"))
    later = [event._replace(event_time=event.event_time + timedelta(hours=3)) for event in log]
    both = pl.concat([rows_of(log), rows_of(later).with_columns(source=pl.lit("app"))])
    rows, sessions = closing_sessions(both, [D], GAP)
    assert rows.select("source", "event_id", "position").rows() == [
        ("s", "u0", 0),
        ("s", "u1", 1),
        ("app", "u0", 0),
        ("app", "u1", 1),
    ]
    assert sessions["session_id"].n_unique() == 2


def test_look_back_is_two_days_and_one_gap() -> None:
    assert look_back([D]) == [D - timedelta(days=i) for i in (3, 2, 1, 0)]
    assert look_ahead([D]) == [D + timedelta(days=i) for i in (0, 1, 2, 3)]


def test_sessionize_is_one_exchange_by_user(spark: SparkSession) -> None:
    plan = sessionize(frame(spark, log_of(at("09:00"))))._jdf.queryExecution().executedPlan().toString()
    assert plan.count("Exchange hashpartitioning(user_id") == 1
    assert plan.count("Exchange") == 1


# Pauses that matter: ties, within the gap, exactly the gap, a second more, hours, and a day.
pauses = st.sampled_from([0, 1, 600, 1799, 1800, 1801, 3600, 6 * 3600, 86400]).map(lambda s: timedelta(seconds=s))
starts = st.sampled_from([at("00:00", 16), at("12:00", 16), at("23:29:59", 17), at("23:30", 17), at("23:59:59", 16)])
busy = st.builds(lambda start, n: [start] + [timedelta(minutes=25)] * n, starts, st.integers(50, 250))
usual = st.builds(lambda start, gaps: [start, *gaps], starts, st.lists(pauses, max_size=40))


def timeline(steps: list[Any]) -> list[datetime]:
    times = [steps[0]]
    for step in steps[1:]:
        times.append(times[-1] + step)
    return times


def log_of_users(users: list[list[Any]]) -> list[Event]:
    """Their events; all users have the same event ids."""
    return [Event(f"u{i:02d}", time, f"e{n}") for i, steps in enumerate(users) for n, time in enumerate(timeline(steps))]


logs = st.lists(busy | usual, min_size=1, max_size=12).map(log_of_users)


@given(log=logs)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_pass_matches_the_oracle(spark: SparkSession, log: list[Event]) -> None:
    expected = [[event.event_id for event in session] for session in oracle.sessions(log, GAP)]
    assert in_sessions(spark, log) == expected


@given(log=st.lists(usual, min_size=1, max_size=12).map(log_of_users))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_spark_session_windows_agree_up_to_the_midnight_cut(spark: SparkSession, log: list[Event]) -> None:
    from pyspark.sql import functions as F

    events = frame(spark, log)
    # Spark splits at exactly the gap, so the window is a microsecond longer.
    window = F.session_window("event_time", "1800 seconds 1 microsecond")
    theirs = events.groupBy("user_id", window).agg(F.min("event_time").alias("started_at"), F.count("*").alias("n_events"))
    ours = summarize(sessionize(events))
    columns = ["user_id", "started_at", "n_events"]
    assert sorted(map(tuple, ours.select(columns).collect())) == sorted(map(tuple, theirs.select(columns).collect()))


@given(log=logs, seed=st.randoms())
@settings(max_examples=200, deadline=None)
def test_days_run_one_by_one_match_one_pass(log: list[Event], seed: Any) -> None:
    expected: dict[date, set[tuple[str, ...]]] = {}
    for session in oracle.sessions(log, GAP):
        expected.setdefault(oracle.closed_on(session, GAP), set()).add(tuple(e.event_id for e in session))
    events = rows_of(log)
    for day in seed.sample(sorted(expected), len(expected)):
        near = events.filter(pl.col("event_time").dt.date().is_in(look_back([day])))
        rows, sessions = closing_sessions(near, [day], GAP)
        found = rows.group_by("session_id", maintain_order=True).agg("event_id")["event_id"].to_list()
        assert {tuple(ids) for ids in found} == expected[day]
        assert sorted(sessions["n_events"].to_list()) == sorted(map(len, found))
