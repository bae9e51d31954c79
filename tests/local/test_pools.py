"""The GPU pool has one slot per GPU: two of its tasks never run at once, and a deferred task keeps its slot."""

import time

import pytest

from local.stack.airflow_client import AirflowClient

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
HOLDS_A_SLOT = {"queued", "running", "deferred"}


def test_gpu_pool_runs_one_task_at_a_time(airflow: AirflowClient) -> None:
    airflow.wait_for_dags(["gpu"])
    airflow.unpause("gpu")
    run = airflow.trigger("gpu")
    seen: list[frozenset[tuple[str, str | None]]] = []
    deadline = time.monotonic() + 120
    while not airflow.run("gpu", run.run_id).finished:
        assert time.monotonic() < deadline
        seen.append(frozenset((t.task_id, t.state) for t in airflow.tasks("gpu", run.run_id) if t.state in HOLDS_A_SLOT))
        time.sleep(0.2)
    assert airflow.run("gpu", run.run_id).state == "success"
    assert all(len(at_once) <= 1 for at_once in seen)
    assert frozenset({("deferred", "deferred")}) in seen
    log_duration = {task for at_once in seen for task, state in at_once if state == "running"}
    assert log_duration >= {"at_work_0", "at_work_1", "at_work_2"}
