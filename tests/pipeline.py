"""The pipeline in this process: the jobs' own commands without a JVM, each built, audited and published as Airflow does it."""

import contextlib
import json
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from jobs import clean, items, profiles, sessionize
from jobs.exchange.exchange import Consume, Produce, _first_stage, _second_stage
from jobs.late_days import late_sessions
from schemas.lake.lake import open_lake
from schemas.publishing import audit, publish
from schemas.runtime.errors import NothingToDo

JOBS = {"clean": clean, "items": items, "sessionize": sessionize, "profiles": profiles}


def exchange_here(work: Any, buckets: int, produce: Produce, consume: Consume) -> list[dict[str, Any]]:
    """Both stages of an exchange, one after the other."""
    rows = pa.record_batch({"task": range(len(work)), "work": [json.dumps(item) for item in work]}) if work else None
    blocks = list(_first_stage(produce, buckets, iter([rows] if rows else [])))
    results = _second_stage(consume, iter(blocks))
    return [json.loads(text) for batch in results for text in batch["result"].to_pylist()]


class NoSpark:
    """Replaces the Spark session of a job."""

    def stop(self) -> None:
        pass


def run_jobs_here(patch: pytest.MonkeyPatch | None = None) -> None:
    """Make the commands of the jobs run in this process, without a JVM; until the test ends if it gives its ``patch``."""
    patch = patch or pytest.MonkeyPatch()
    for job in JOBS.values():
        patch.setattr(job, "exchange", lambda spark, *stages: exchange_here(*stages))
        patch.setattr(job, "spark_session", lambda *_: NoSpark())


def build(job: str, day: date, run: str) -> None:
    """Run a job's command for one day; its rows are staged.

    Args:
        job: name of the job.
        day: its arrival day, its day of sessions, or the date that it is as of.
        run: identifier of the run.
    """
    match job:
        case "clean":
            which = ["--arrived-on", str(day)]
        case "sessionize":
            which = ["--from", str(day), "--to", str(day)]
        case _:
            which = ["--as-of", str(day)]
    JOBS[job].main([*which, "--run", run])


def audit_and_publish(job: str, run: str) -> None:
    audit.main(["--job", job, "--run", run])
    publish.main(["--job", job, "--run", run])


def run_job(job: str, day: date, run: str) -> None:
    """Build, audit and publish; a day without anything to do is skipped."""
    with contextlib.suppress(NothingToDo):
        build(job, day, run)
        audit_and_publish(job, run)


def run_late_days(run: str) -> None:
    """Build, audit and publish again the days of sessions that late events changed."""
    for day in late_sessions(open_lake()):
        run_job("sessionize", day, f"{run}-late-{day}")


def run_day(day: date, run: str) -> None:
    """All jobs of a day in Airflow's order, and the late days."""
    for job in ("clean", "items", "sessionize"):
        run_job(job, day, run)
    run_late_days(run)
    run_job("profiles", day, run)
