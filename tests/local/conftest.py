"""Airflow and MLflow, started once for all tests that need the real services."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack.__main__ import Services
from local.stack.airflow_client import AirflowClient
from schemas.runtime.settings import Settings

LIVE_DAGS = Path(__file__).with_name("live_dags")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Airflow and MLflow, with the project's workflows and those of `live_dags`."""
    var = tmp_path_factory.mktemp("live")
    settings = Settings(var=var, airflow_port=free_port(), mlflow_port=free_port(), spark_class_archive=False)
    services = Services(settings)
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    bundles = [
        {"name": path.name, "classpath": local, "kwargs": {"path": str(path)}} for path in (settings.root / "dags", LIVE_DAGS)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(bundles))
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:////nowhere/of/another/airflow.db")
        try:
            services.up()
            yield services
        finally:
            services.down()


@pytest.fixture
def airflow(live: Services) -> AirflowClient:
    return live.airflow()
