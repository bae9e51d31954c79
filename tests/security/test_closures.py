"""What Spark sends to its tasks: no key and no password, in no job."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark import cloudpickle

from jobs import clean, items, profiles, sessionize
from schemas.privacy.suppression_list import mark_erased
from schemas.runtime.settings import get_settings
from tests.jobs.conftest import line
from tests.jobs.test_items_and_profiles import ALIEN
from tests.local.test_refused_day import deliver
from tests.pipeline import exchange_here, run_day, run_jobs_here

pytestmark = pytest.mark.security
DAY = date(1998, 4, 16)
SECRETS = {
    "CLICKWRIGHT_PSEUDONYM_KEY": "key-of-pseudonyms-0123456789abcdef",
    "CLICKWRIGHT_AIRFLOW_DATABASE": "postgresql+psycopg://airflow:password-of-airflow@db/airflow",
    "CLICKWRIGHT_OBJECT_STORE_KEY_ID": "id-of-the-object-store",
    "CLICKWRIGHT_OBJECT_STORE_KEY": "key-of-the-object-store",
    "CLICKWRIGHT_SPARK_SECRET": "secret-of-the-cluster-0123456789abcdef",
}
PLANTED = [b"key-of-pseudonyms", b"password-of-airflow", b"-of-the-object-store", b"secret-of-the-cluster"]


@pytest.fixture
def sent(var: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[bytes]]:
    """What each job would send to Spark's tasks, on a day with an erased person."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    run_jobs_here(monkeypatch)
    found: dict[str, list[bytes]] = {}
    for job in (clean, items, sessionize, profiles):

        def keep(_: Any, work: Any, buckets: int, *stages: Any, job: Any = job) -> Any:
            found.setdefault(job.__name__, []).extend(map(cloudpickle.dumps, stages))
            return exchange_here(work, buckets, *stages)

        monkeypatch.setattr(job, "exchange", keep)
    settings = get_settings()
    mark_erased(settings, "0" * 64, "a request")
    deliver(settings.landing_dir, "movielens-items", [json.dumps(ALIEN)])
    deliver(settings.landing_dir, "movielens", [line(event_id=f"e{i}", item=f"{i}") for i in range(3)])
    run_day(DAY, "day")
    return found


@pytest.mark.slow
def test_no_secret_is_in_the_closures_of_any_job(sent: dict[str, list[bytes]]) -> None:
    assert set(sent) == {"jobs.clean", "jobs.items", "jobs.sessionize", "jobs.profiles"}
    shown = {(job, secret) for job, stages in sent.items() for stage in stages for secret in PLANTED if secret in stage}
    assert shown == set()
