"""A day that its audit refuses, in the real Airflow: the lake is unchanged; repair and clear complete the day."""

import gzip
import json
from datetime import date
from pathlib import Path

import pytest

from local.stack.__main__ import Services
from local.stack.airflow_client import AirflowClient
from schemas.lake.lake import open_lake, row_counts
from tests.jobs.conftest import line
from tests.jobs.test_items_and_profiles import ALIEN

DAY = date(1998, 4, 21)  # no other test runs it
SOUND = [line(event_id=f"r{i}", item=f"{i}", time=f"{DAY}T14:20:05Z") for i in range(10)]


def deliver(landing: Path, source: str, lines: list[str], hour: str = "1998-04-16T15", name: str = "part-000") -> None:
    path = landing / source / f"arrived={hour}" / f"{name}.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


@pytest.mark.slow
@pytest.mark.airflow
@pytest.mark.timeout(900)
def test_refused_day_reports_its_reason_and_can_be_repaired(live: Services, airflow: AirflowClient) -> None:
    landing = live.settings.landing_dir
    deliver(landing, "movielens-items", [json.dumps(ALIEN)], hour=f"{DAY}T15")
    deliver(landing, "movielens", [*SOUND, *["{"] * 10], hour=f"{DAY}T15")
    airflow.wait_for_dags(["behaviour_day"])
    airflow.unpause("behaviour_day")
    lake = open_lake(live.settings)
    before = row_counts(lake)
    run = airflow.trigger("behaviour_day", arrived_on=DAY)

    (ended,) = airflow.wait("behaviour_day", [run.run_id], timeout_s=400)
    assert ended.state == "failed"
    ((task, message),) = airflow.failures("behaviour_day", run.run_id).items()
    assert task == "clean.audit"
    assert message.startswith(f"audit failed: rejects [arrived_on={DAY}]: the number of rows must be at most 20 % of records")
    assert "observed 10" in message
    assert Path(message.split("see ")[1].split(",")[0]).exists()
    assert {table for table, rows in row_counts(lake).items() if rows != before.get(table, 0)} <= {"items"}

    deliver(landing, "movielens", SOUND, hour=f"{DAY}T15")  # repaired
    airflow.clear("behaviour_day", run.run_id)
    (ended,) = airflow.wait("behaviour_day", [run.run_id], timeout_s=400)
    assert ended.state == "success"
    more = {table: rows - before.get(table, 0) for table, rows in row_counts(lake).items()}
    assert (more["events"], more["rejects"], more["sessions"], more["profiles"]) == (10, 0, 1, 1)
