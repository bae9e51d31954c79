"""Old orphan files are removed; files that a job stages, publishes or reads are not."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.lake.lake import open_lake
from schemas.maintenance import expire_snapshots, orphan_files
from schemas.publishing import publish
from schemas.publishing.staging import data_folder, open_attempt, run_folder
from schemas.runtime.errors import ClickwrightError
from tests.schemas.lakes import DAYS, RAW, pass_audit, rows_of, stage, write_day
from tests.schemas.maintenance.ages import data_files, grow_old

BEFORE = datetime.now(UTC) - timedelta(days=7)
ON, NEXT = DAYS[2], DAYS[2] + timedelta(days=1)


def test_only_files_of_expired_snapshots_are_removed(var: Path, now: datetime) -> None:
    lake = open_lake()
    for people in (RAW[:1], RAW):
        write_day("sessions", DAYS[0], people)
    assert len(data_files()) == 2
    grow_old(var / "lake")
    assert orphan_files.remove(lake, ["sessions"], ON, BEFORE)["tables"]["sessions"]["data_files"] == 0
    expire_snapshots.expire(lake, "sessions", now)
    assert orphan_files.remove(lake, ["sessions"], ON, BEFORE, dry_run=True)["tables"]["sessions"]["data_files"] == 1
    assert len(data_files()) == 2
    found = orphan_files.remove(lake, ["sessions"], ON, BEFORE)["tables"]["sessions"]
    assert (found["data_files"], len(data_files())) == (1, 1)
    assert found["metadata_files"] >= 3  # manifests and manifest lists of expired snapshots
    assert open_lake().arrow("sessions").num_rows == 3


def test_files_of_a_slow_job_stay(var: Path) -> None:
    lake = open_lake()
    with open_attempt("test", "slow", {}) as attempt:
        attempt.write_arrow("sessions", rows_of("sessions", RAW, DAYS[0], 1), replaces=("closed_on", [DAYS[0]]))
        grow_old(var / "lake", days=6)
        orphan_files.remove(lake, ["sessions"], ON, BEFORE)
    pass_audit("slow")
    grow_old(run_folder("test", "slow"), days=6)
    orphan_files.remove(lake, ["sessions"], NEXT, BEFORE)
    publish.main(["--job", "test", "--run", "slow"])
    assert lake.arrow("sessions").num_rows == 3


def test_an_unpublished_attempt_is_abandoned_then_removed(var: Path) -> None:
    lake = open_lake()
    stage("sessions", DAYS[0], run="left")
    pass_audit("left")
    grow_old(var)
    assert orphan_files.remove(lake, ["sessions"], ON, BEFORE)["given_up"] == 1
    assert len(data_files()) == 1
    orphan_files.remove(lake, ["sessions"], ON, BEFORE)
    assert len(data_files()) == 1, "a publish of it may still be running"
    with pytest.raises(ClickwrightError, match=r"nothing is staged for .*; run `python -m "):
        publish.main(["--job", "test", "--run", "left"])
    orphan_files.remove(lake, ["sessions"], NEXT, BEFORE)
    assert not data_files()
    assert not (var / "staging" / "test" / "left").exists()


def test_files_of_a_killed_job_are_removed(var: Path) -> None:
    folder = Path(data_folder("sessions")) / uuid.uuid4().hex / f"_closed_on={DAYS[0]}"
    folder.mkdir(parents=True)
    (folder / "part-0.parquet").write_bytes(b"cut off")
    assert orphan_files.remove(open_lake(), ["sessions"], ON, BEFORE)["tables"]["sessions"]["data_files"] == 0
    grow_old(var / "lake")
    assert orphan_files.remove(open_lake(), ["sessions"], ON, BEFORE)["tables"]["sessions"]["data_files"] == 1
    assert not folder.parent.exists()


def test_a_run_can_be_published_again_after_maintenance(var: Path, now: datetime) -> None:
    lake = open_lake()
    write_day("sessions", DAYS[0], run="r")
    grow_old(var)
    expire_snapshots.expire(lake, "sessions", now)
    for on in (ON, NEXT):
        orphan_files.remove(lake, ["sessions"], on, BEFORE)
    publish.main(["--job", "test", "--run", "r"])
    assert lake.arrow("sessions").num_rows == 3
