"""Late days are found whatever maintenance or an erasure has committed to the events before."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from jobs import clean, late_days
from schemas.erasure.__main__ import main as erase
from schemas.lake.lake import open_lake
from schemas.maintenance import compact, expire_snapshots, orphan_files, retention, table_statistics
from tests.jobs.conftest import Deliver, line
from tests.pipeline import run_day, run_job, run_jobs_here

pytestmark = pytest.mark.slow
D, NEXT = date(1998, 4, 16), date(1998, 4, 17)


@pytest.fixture(autouse=True)
def two_days(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two published days of six users, in several small files each."""
    monkeypatch.setattr(clean, "buckets_for", lambda size: 4)
    run_jobs_here(monkeypatch)
    deliver('{"item_id": "242", "title": "Heat"}', hour=f"{D}T03", source="movielens-items")
    for day in (D, NEXT):
        deliver(*(visit(day, n) for n in range(6)), hour=f"{day}T15")
        run_day(day, f"day-{day}")


def visit(day: date, n: int) -> str:
    return line(event_id=f"e{day}-{n}", user=f"user-{n}@shop.example", time=f"{day}T14:20:0{n}Z")


def erase_one(folder: Path) -> None:
    (folder / "ids").write_text("user-3@shop.example\n")
    erase(["--from", str(folder / "ids"), "--date", "1998-04-18"])


@pytest.mark.parametrize(
    "maintain",
    [
        lambda folder: compact.main(["--date", "1998-04-18"]),
        lambda folder: retention.main(["--date", "2000-04-16", "--table", "events"]),
        lambda folder: expire_snapshots.main(["--date", "1998-05-18"]),
        lambda folder: orphan_files.main(["--date", "1998-04-18"]),
        lambda folder: table_statistics.main(["--date", "1998-04-18"]),
        erase_one,
    ],
    ids=["compaction", "retention", "expiry", "orphans", "statistics", "erasure"],
)
def test_late_events_are_found_after_maintenance(maintain: Callable[[Path], object], deliver: Deliver, tmp_path: Path) -> None:
    assert late_days.main([]) == {"late_days": []}
    maintain(tmp_path)
    assert late_days.main([]) == {"late_days": []}
    deliver(line(event_id="late", user="user-1@shop.example", time=f"{D}T18:00:00Z"), hour="1998-04-18T10")
    run_job("clean", date(1998, 4, 18), "third-day")
    assert late_days.main([]) == {"late_days": [D, NEXT]}
    run_job("sessionize", D, "late")
    run_job("sessionize", NEXT, "late-too")
    assert late_days.main([]) == {"late_days": []}
    assert open_lake().arrow("session_events", f"closed_on = '{D}'")["event_id"].to_pylist().count("late") == 1
