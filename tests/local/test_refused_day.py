"""A day that its audit refuses, in the real Airflow: it says why, the lake is untouched, mending and clearing completes it."""

import gzip
import json
from datetime import date
from pathlib import Path

import pytest

from local.airflow_client import AirflowClient
from local.services import Services
from schemas.lake import open_lake, row_counts
from tests.jobs.conftest import line
from tests.jobs.test_items_and_profiles import ALIEN

DAY = date(1998, 4, 16)
SOUND = [line(event_id=f"e{i}", item=f"{i}") for i in range(10)]


def deliver(landing: Path, source: str, lines: list[str], hour: str = "1998-04-16T15", name: str = "part-000") -> None:
    path = landing / source / f"arrived={hour}" / f"{name}.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_refused_day_says_why_and_is_completed_after_mending(live: Services, airflow: AirflowClient) -> None:
    landing = live.settings.landing_dir
    deliver(landing, "movielens-items", [json.dumps(ALIEN)])
    deliver(landing, "movielens", [*SOUND, *["{"] * 10])
    airflow.wait_for_dags(["behaviour_day"])
    airflow.unpause("behaviour_day")
    run = airflow.trigger("behaviour_day", arrived_on=DAY)

    (ended,) = airflow.wait("behaviour_day", [run.run_id], timeout_s=400)
    assert ended.state == "failed"
    ((task, message),) = airflow.failures("behaviour_day", run.run_id).items()
    assert task == "clean.audit"
    assert message.startswith(
        "audit failed: rejects [arrived_on=1998-04-16]: the number of rows must be at most 20 % of lines_read"
    )
    assert "observed 10" in message
    assert Path(message.split("see ")[1].split(",")[0]).exists()
    lake = open_lake(live.settings)
    assert row_counts(lake) in ({}, {"items": 1})

    deliver(landing, "movielens", SOUND)  # mended
    airflow.clear("behaviour_day", run.run_id)
    (ended,) = airflow.wait("behaviour_day", [run.run_id], timeout_s=400)
    assert ended.state == "success"
    counts = row_counts(lake)
    assert (counts["events"], counts["rejects"], counts["sessions"], counts["profiles"]) == (10, 0, 1, 1)
