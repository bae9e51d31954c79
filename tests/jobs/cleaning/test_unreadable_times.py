"""A time that no calendar has is one reject with one reason, and the audit of its day passes."""

import json

import pytest

from schemas.lake.lake import open_lake
from tests.jobs.conftest import DAY, Deliver, line
from tests.pipeline import audit_and_publish, run_job, run_jobs_here

pytestmark = pytest.mark.slow

TIMES = {
    "0001-01-01T00:00:00+14:00": "event_time.unreadable",
    "0000-01-01T00:00:00Z": "event_time.unreadable",
    "9999-12-31T23:59:59-05:00": "event_time.unreadable",
    "9999-12-31T23:59:59Z": "lag_seconds.range",
    "0001-01-01T00:00:00Z": "event_time.range",
    "1970-01-01T00:00:00Z": "event_time.range",
    "+275760-09-13T00:00:00.000Z": "event_time.unreadable",  # JavaScript's last date
    "892736405000": "event_time.looks_like_milliseconds",
    "892736405": "event_time.looks_like_seconds",
    "1998-04-16": "event_time.no_time_of_day",
    "1998-04-16T14:20:05+25:99": "event_time.unreadable",
    "1998-04-12T14:00:00Z": "days_late.range",
}


def test_each_odd_time_has_one_reason_and_the_audit_passes(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    run_jobs_here(monkeypatch)
    sound = [line(event_id=f"e{i}", item=str(i)) for i in range(60)]
    odd = [line(event_id=f"odd {n}", time=time) for n, time in enumerate(TIMES)]
    deliver(*sound, *odd, line(event_id="none", time=None), line(event_id="wink", type="wink"))
    run_job("clean", DAY, "r", audit_and_publish)
    lake = open_lake()
    assert lake.arrow("events").num_rows == len(sound)
    rejects = sorted(lake.arrow("rejects").to_pylist(), key=lambda row: row["line_number"])
    expected = [*TIMES.values(), "event_time.required", "event_type.unknown"]
    assert [row["reasons"] for row in rejects] == [[reason] for reason in expected]


def test_epochs_of_any_size_are_read_or_refused(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    run_jobs_here(monkeypatch)
    ticks = [2**53, -(2**53), 2**63 - 1, -(2**63), 2**63, 1e300, -1e18, "inf", "-inf", "NaN", 253402300800, -62135596801]
    sound = [line(event_id=f"e{i}", item=str(i)) for i in range(60)]
    deliver(*sound, *(json.dumps({**json.loads(line()), "event_id": f"t{n}", "time": tick}) for n, tick in enumerate(ticks)))
    run_job("clean", DAY, "r", audit_and_publish)
    rejects = open_lake().arrow("rejects").to_pylist()
    assert [len(row["reasons"]) for row in rejects] == [1] * len(ticks)
