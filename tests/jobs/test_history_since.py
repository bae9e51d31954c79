"""The first date of a history, which a person types, is bounded."""

from datetime import date
from pathlib import Path

import pytest

from jobs import clean, sessionize
from schemas.lake.lake import open_lake
from schemas.publishing.staging import read_manifest
from schemas.runtime.errors import ConfigError
from tests.jobs.conftest import DAY, Deliver, line
from tests.pipeline import build, check_and_publish, run_jobs_here


@pytest.fixture
def events(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of one day are published."""
    run_jobs_here(monkeypatch)
    deliver(line(event_id="a"), line(event_id="b", time="1998-04-16T14:25:00Z"))
    build("clean", DAY, "r")
    check_and_publish("clean", "r")


def closed_on(first: str, last: str) -> list[str]:
    """The closing dates that a range stages."""
    sessionize.main(["--from", first, "--to", last, "--run", "s"])
    return read_manifest("sessionize", "s").tables["sessions"].values


@pytest.mark.parametrize("first", ["0001-01-01", "1000-01-01", "1970-01-01", "1989-12-31"])
def test_a_date_before_the_earliest_possible_event_is_refused(first: str, var: Path) -> None:
    with pytest.raises(ConfigError, match=f"{first} is before 1990-01-01, the earliest event time .*; in --from"):
        sessionize.main(["--from", first, "--to", "1998-04-16"])
    with pytest.raises(ConfigError, match=f"{first} is before 1990-01-01, .*; in --history-since"):
        clean.main(["--arrived-on", "1998-04-16", "--history-since", first])
    assert not (var / "staging").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("events")
def test_days_without_events_around_those_with_events_are_left_out() -> None:
    week = ["1998-04-16", "1998-04-17", "1998-04-18", "1998-04-19"]  # on which sessions with an event of the first may close
    assert closed_on("1990-01-01", "9999-12-31") == week
    assert closed_on("1990-01-01", "1998-04-17") == week[:2]
    assert closed_on("1998-04-18", "9999-12-31") == week[2:]
    assert closed_on("1997-01-01", "1997-02-01") == ["1997-02-01"], "a range before all events keeps its last day"
    assert closed_on("2000-01-01", "2000-02-01") == ["2000-01-01"]
    check_and_publish("sessionize", "s")
    assert open_lake().arrow("sessions").num_rows == 0
    sessionize.main(["--from", "1990-01-01", "--to", "1998-04-16", "--run", "s"])
    check_and_publish("sessionize", "s")
    assert open_lake().partitions("sessions", "closed_on") == [date(1998, 4, 16)]
