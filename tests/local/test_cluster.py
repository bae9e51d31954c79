"""A day of the workflow on a standalone Spark cluster: only the connection `spark_default` differs."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from local.stack.__main__ import Services
from local.stack.airflow_client import DAY_DAG
from schemas.lake.lake import open_lake, row_counts
from schemas.runtime.settings import Settings
from tests.jobs.conftest import line
from tests.jobs.test_cluster import SECRET, Cluster, running
from tests.jobs.test_items_and_profiles import ALIEN
from tests.local.conftest import free_port
from tests.local.test_refused_day import deliver

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(900)]
DAY = date(1998, 4, 16)


@pytest.fixture
def services(var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Services, Cluster]]:
    with running(tmp_path) as cluster:
        connection = {
            "conn_type": "spark",
            "host": "spark://127.0.0.1",
            "port": cluster.port,
            "extra": {"deploy-mode": "client"},
        }
        monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(connection))
        monkeypatch.setenv("CLICKWRIGHT_SPARK_MASTER", cluster.master)
        monkeypatch.setenv("CLICKWRIGHT_SPARK_SECRET", SECRET)
        services = Services(Settings(var=var, airflow_port=free_port(), mlflow_port=free_port()))
        try:
            services.up()
            yield services, cluster
        finally:
            services.down()


def test_day_runs_on_a_cluster(services: tuple[Services, Cluster]) -> None:
    stack, cluster = services
    landing, airflow = stack.settings.landing_dir, stack.airflow()
    deliver(landing, "movielens-items", [json.dumps(ALIEN)])
    deliver(landing, "movielens", [line(event_id=f"e{i}", item=f"{i}") for i in range(10)])
    airflow.wait_for_dags([DAY_DAG])
    airflow.unpause(DAY_DAG)
    run = airflow.trigger(DAY_DAG, arrived_on=DAY)
    (ended,) = airflow.wait(DAY_DAG, [run.run_id], timeout_s=600)
    assert ended.state == "success", airflow.failures(DAY_DAG, run.run_id)
    counts = row_counts(open_lake(stack.settings))
    assert (counts["events"], counts["sessions"], counts["profiles"], counts["items"]) == (10, 1, 1, 1)
    said = (cluster.folder / "cluster.log").read_text()
    ran = {line.split("Registered app ")[1].split()[0] for line in said.splitlines() if "Registered app " in line}
    assert ran >= {"clean", "items", "sessionize", "profiles"}
