"""Late days are found whatever maintenance or an erasure has committed to the events before."""

from datetime import date
from pathlib import Path

import pytest

from jobs import clean, late_days
from schemas.erasure.__main__ import main as erase
from schemas.lake.lake import open_lake
from schemas.maintenance import compact, expire_snapshots, orphan_files, retention, table_statistics
from schemas.runtime.errors import NothingToDo
from tests.jobs.conftest import Deliver, line
from tests.pipeline import check_and_publish, run_day, run_job, run_jobs_here

pytestmark = pytest.mark.slow
D, NEXT = date(1998, 4, 16), date(1998, 4, 17)


@pytest.fixture(autouse=True)
def two_days(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two published days of eighteen users, in several small files each."""
    monkeypatch.setattr(clean, "buckets_for", lambda size: 6)
    run_jobs_here(monkeypatch)
    deliver('{"item_id": "242", "title": "Heat"}', hour=f"{D}T03", source="movielens-items")
    for day in (D, NEXT):
        deliver(*(visit(day, n) for n in range(18)), hour=f"{day}T15")
        run_day(day, f"day-{day}")


def visit(day: date, n: int) -> str:
    return line(event_id=f"e{day}-{n}", user=f"user-{n}@shop.example", time=f"{day}T14:20:{n:02d}Z")


def erase_one(folder: Path) -> None:
    (folder / "ids").write_text("user-3@shop.example\n")
    erase(["--from", str(folder / "ids"), "--date", "1998-04-18"])


def test_late_events_are_found_after_every_kind_of_maintenance(deliver: Deliver, tmp_path: Path) -> None:
    assert late_days.main([]) == {"late_days": []}
    for task in (compact, table_statistics, expire_snapshots, orphan_files):
        task.main(["--date", "1998-05-18"])
        assert late_days.main([]) == {"late_days": []}, task.__name__
    erase_one(tmp_path)
    assert late_days.main([]) == {"late_days": []}
    assert {commit.job for commit in open_lake().commits("events")} > {"clean"}  # compaction and erasure have committed

    deliver(line(event_id="late", user="user-1@shop.example", time=f"{D}T18:00:00Z"), hour="1998-04-18T10")
    run_job("clean", date(1998, 4, 18), "third-day")
    assert late_days.main([]) == {"late_days": [D, NEXT]}
    run_job("sessionize", D, "late")
    run_job("sessionize", NEXT, "late-too")
    assert late_days.main([]) == {"late_days": []}
    assert open_lake().arrow("session_events", f"closed_on = '{D}'")["event_id"].to_pylist().count("late") == 1


def test_retention_of_events_makes_no_day_late() -> None:
    retention.main(["--date", "2000-04-16", "--table", "events"])
    assert open_lake().partitions("events", "event_date") == [NEXT]
    assert late_days.main([]) == {"late_days": []}


def test_day_with_a_file_that_was_not_read_is_late(deliver: Deliver) -> None:
    with pytest.raises(NothingToDo, match="the landing files of 1998-04-16 were all read"):
        late_days.main(["--arrived-on", str(D)])
    late = line(event_id="f", user="user-1@shop.example", time=f"{D}T14:50:00Z")
    deliver(late, hour=f"{D}T15", name="late-upload.jsonl.gz")
    assert late_days.main([]) == {"late_days": [D]}
    assert late_days.main(["--arrived-on", str(D)]) == {"late_days": [D]}
    run_job("clean", D, "again")
    assert late_days.main([]) == {"late_days": [D, NEXT]}  # their sessions and profiles


def test_day_that_was_loaded_as_history_stays_one(deliver: Deliver) -> None:
    old = line(event_id="old", user="user-1@shop.example", time="1997-12-24T18:00:00Z")
    deliver(old, hour="1998-04-19T10")
    clean.main(["--arrived-on", "1998-04-19", "--history-since", "1997-12-01", "--run", "history"])
    check_and_publish("clean", "history")
    run_job("clean", date(1998, 4, 19), "again")
    assert open_lake().arrow("events", "arrived_on = '1998-04-19'")["event_id"].to_pylist() == ["old"]
