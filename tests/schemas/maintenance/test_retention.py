"""Retention: partitions are dropped when their contract's retention ends, and not before."""

from datetime import timedelta

import pytest

from schemas.contract import load_contract
from schemas.lake.lake import open_lake
from schemas.maintenance import retention
from schemas.runtime.errors import Refused
from tests.schemas.lakes import DAYS, RAW, write_day

KEPT = load_contract("rejects").retention_days or 0


def test_a_day_is_dropped_when_its_retention_ends() -> None:
    lake = open_lake()
    for day in DAYS:
        write_day("rejects", day)
    assert retention.retain(lake, "rejects", DAYS[0] + timedelta(days=KEPT), "keep")["dropped"] == 0
    found = retention.retain(lake, "rejects", DAYS[1] + timedelta(days=KEPT), "keep")
    assert found == {"kept_from": str(DAYS[1]), "dropped": 1, "rows": len(RAW)}
    assert lake.partitions("rejects", "arrived_on") == DAYS[1:]
    assert lake.commits("rejects")[0].job == "keep.retention"


def test_a_dry_run_only_reports() -> None:
    for day in DAYS[:2]:
        write_day("rejects", day)
    day_after = str(DAYS[1] + timedelta(days=KEPT))
    answer = retention.main(["--date", day_after, "--table", "rejects", "--dry-run"])
    assert answer["tables"]["rejects"]["dropped"] == 1
    assert open_lake().partitions("rejects", "arrived_on") == DAYS[:2]


def test_emptying_a_table_needs_allow_empty() -> None:
    write_day("rejects", DAYS[0])
    with pytest.raises(Refused, match=r"all rows of rejects exceed the retention of 90 days; .* --allow-empty"):
        retention.main(["--date", "2030-01-01"])
    retention.main(["--date", "2030-01-01", "--allow-empty"])
    assert open_lake().arrow("rejects").num_rows == 0


def test_retention_of_events_counts_from_the_event_date() -> None:
    lake = open_lake()
    for day in DAYS[:2]:
        write_day("events", day)
    kept = load_contract("events").retention_days or 0
    assert retention.retain(lake, "events", DAYS[1] + timedelta(days=kept), "keep")["dropped"] == 1
    assert lake.partitions("events", "event_date") == DAYS[1:2]
