"""Expiry: old snapshots are removed; tagged ones stay, and so does the history of commits."""

from datetime import UTC, date, datetime, timedelta

import pytest

from schemas.lake.lake import open_lake
from schemas.maintenance import expire_snapshots
from schemas.maintenance.options import cutoff
from schemas.runtime.errors import ConfigError
from tests.schemas.lakes import DAYS, RAW, write_day

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def test_old_untagged_snapshots_expire_and_rows_stay(now: datetime) -> None:
    lake = open_lake()
    for people in (RAW[:1], RAW[:2], RAW):
        write_day("sessions", DAYS[0], people)
        if people == RAW[:2]:
            pinned = lake.snapshot("sessions")
            assert pinned is not None
            lake.tag("sessions", pinned, "train-1")
    assert expire_snapshots.expire(lake, "sessions", now) == {"expired": 3, "left": 2, "tags": ["train-1"]}
    assert lake.arrow("sessions").num_rows == 3
    assert lake.arrow("sessions", snapshot=pinned).num_rows == 2
    assert expire_snapshots.expire(lake, "sessions", now)["expired"] == 0


def test_the_age_of_a_snapshot_starts_at_its_replacement(now: datetime) -> None:
    """A reader may have started on it just before it was replaced."""
    lake = open_lake()
    write_day("sessions", DAYS[0], RAW[:1])
    before_the_replacement = datetime.now(UTC)
    write_day("sessions", DAYS[0])
    assert expire_snapshots.expire(lake, "sessions", before_the_replacement)["expired"] == 0
    assert expire_snapshots.expire(lake, "sessions", LONG_AGO)["expired"] == 0
    assert expire_snapshots.expire(lake, "sessions", now)["expired"] == 2  # the old one, and the empty one between the two


def test_lineage_outlives_expiry(now: datetime) -> None:
    lake = open_lake()
    for day in DAYS:
        write_day("sessions", day)
    write_day("sessions", DAYS[1], RAW[:1], run="again")
    commits = lake.current_commits("sessions")
    sequences = {day: lake.sequence("sessions", commit.snapshot_id) for day, commit in commits.items()}
    expire_snapshots.expire(lake, "sessions", now)
    assert len(lake.table("sessions").snapshots()) == 1
    assert lake.current_commits("sessions") == commits
    assert {day: lake.sequence("sessions", c.snapshot_id) for day, c in commits.items()} == sequences
    write_day("sessions", DAYS[0], RAW[:1], run="later")
    expire_snapshots.expire(lake, "sessions", now)
    found = {day: commit.run for day, commit in lake.current_commits("sessions").items()}
    assert found == dict(zip(map(str, DAYS), ("later", "again", "sessions-2026-11-20"), strict=True))
    assert len(lake.commits("sessions")) == 5


def test_after_expiry_an_old_run_cannot_undo_a_newer_one(now: datetime) -> None:
    from schemas.publishing.staging import open_attempt
    from tests.schemas.lakes import pass_audit, publish, rows_of

    lake = open_lake()
    snapshots = []
    for day in DAYS[:2]:
        write_day("events", day)
        snapshots.append(int(lake.snapshot("events") or 0))
    results = []
    for run, snapshot in (("new", snapshots[1]), ("old", snapshots[0])):
        with open_attempt("test", run, {"events": snapshot}) as attempt:
            attempt.write_arrow("sessions", rows_of("sessions", RAW, DAYS[0], 1), replaces=("closed_on", [DAYS[0]]))
        pass_audit(run)
        results.append(publish.main(["--job", "test", "--run", run])["sessions"])
        write_day("sessions", DAYS[2])  # so that the new one is not the newest snapshot
        expire_snapshots.expire(lake, "sessions", now)
    assert [result.get("superseded", False) for result in results] == [False, True]


def test_a_dry_run_changes_nothing(now: datetime) -> None:
    lake = open_lake()
    for people in (RAW[:1], RAW):
        write_day("sessions", DAYS[0], people)
    snapshots = {s.snapshot_id for s in lake.table("sessions").snapshots()}
    assert expire_snapshots.expire(lake, "sessions", now, dry_run=True)["expired"] == 2
    assert {s.snapshot_id for s in lake.table("sessions").snapshots()} == snapshots


def test_the_cutoff_protects_data_in_use() -> None:
    today = datetime.now(UTC).date()
    assert cutoff(date(2026, 1, 8), 7) == datetime(2026, 1, 1, tzinfo=UTC)
    assert cutoff(today, 1) <= datetime.now(UTC) - timedelta(days=1)
    for on, days in ((today, 0), (today + timedelta(days=2), 1)):
        with pytest.raises(ConfigError, match="may be in use"):
            cutoff(on, days)
