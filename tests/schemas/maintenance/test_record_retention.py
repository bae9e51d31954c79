"""Records of runs are removed after ``CLICKWRIGHT_RECORD_DAYS`` days without a change; younger ones stay."""

import os
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from schemas.maintenance import record_retention
from schemas.runtime.errors import ConfigError

TODAY = datetime.now(UTC).date()
RECORDS = {
    "audits/clean/{}/index.html": "audits",
    "staging/clean/{}/staged.json": "staging",
    "airflow/logs/dag_id=behaviour_day/run_id={}/attempt=1.log": "task_logs",
    "logs/{}.log": "service_logs",
}


@pytest.fixture
def records(var: Path) -> Path:
    """Records of a run of four months ago and of a run of today, and an old report."""
    old = [var / name.format("old") for name in RECORDS] + [var / "demo.json", var / "demo.html"]
    then = datetime.combine(TODAY - timedelta(days=120), time.min, UTC).timestamp()
    for path in [*old, *(var / name.format("young") for name in RECORDS)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Anna Meyer")
        if path in old:
            os.utime(path, (then, then))
    return var


def remaining(var: Path) -> list[str]:
    return sorted(str(path.relative_to(var)) for path in var.rglob("*") if path.is_file() and path.stat().st_size)


def test_old_records_are_removed_and_young_ones_stay(records: Path) -> None:
    answer = record_retention.main(["--date", str(TODAY)])
    assert answer == {
        "dry_run": False, "kept_from": str(TODAY - timedelta(days=90)),
        "audits": 1, "staging": 1, "task_logs": 1, "service_logs": 1, "reports": 2,
    }  # fmt: skip
    assert [name for name in remaining(records) if name != "lake/keep.lock"] == sorted(n.format("young") for n in RECORDS)


def test_a_service_can_go_on_writing_to_its_log(records: Path) -> None:
    with (records / "logs/old.log").open("a") as log:
        record_retention.main(["--date", str(TODAY)])
        log.write("next line")
    assert (records / "logs/old.log").read_text() == "next line"


def test_a_dry_run_only_counts(records: Path) -> None:
    before = remaining(records)
    assert record_retention.main(["--date", str(TODAY), "--dry-run"])["audits"] == 1
    assert set(before) <= set(remaining(records))


def test_the_setting_bounds_the_age(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_RECORD_DAYS", "365")
    assert record_retention.main(["--date", str(TODAY)])["audits"] == 0


def test_a_date_in_the_future_is_refused(records: Path) -> None:
    with pytest.raises(ConfigError, match="younger than a day"):
        record_retention.main(["--date", str(date(TODAY.year + 1, 12, 31))])
