"""The pipeline in this process: the jobs' own commands without a JVM, each built, checked and published in Airflow's order.

Great Expectations takes four fifths of a tiny day. Where a test is not about the audit, `check_and_publish` checks its rules
with Polars instead; `audit_and_publish` is the real thing.
"""

import contextlib
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from jobs import clean, items, profiles, sessionize
from jobs.exchange.exchange import Consume, Produce, _first_stage, _second_stage
from jobs.late_days import late_sessions
from schemas.contract import Contract, load_contract
from schemas.lake.lake import open_lake
from schemas.lake.storage import read_rows
from schemas.publishing import audit, publish
from schemas.publishing.staging import read_manifest
from schemas.rules import TableRuleKind, to_polars
from schemas.runtime.errors import NothingToDo
from tests.schemas.lakes import pass_audit

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


def broken_rules(contract: Contract, rows: pl.DataFrame) -> dict[str, int]:
    """The rules of rows and keys that staged rows break, each with the number of rows.

    Args:
        contract: contract of the table.
        rows: all staged rows of the table.
    """
    found = {rule.id: rows.select(to_polars(rule).sum()).item() for rule in contract.rules}
    for rule in contract.table_rules:
        if rule.kind is TableRuleKind.UNIQUE:
            found[rule.id] = rows.select(pl.struct(rule.columns).is_duplicated().sum()).item()
    return {rule: count for rule, count in found.items() if count}


def check(job: str, run: str) -> None:
    """Instead of an audit: a check of the rules of rows and keys, without Great Expectations and its pages."""
    for name, table in read_manifest(job, run).tables.items():
        contract = load_contract(name)
        rows = pl.DataFrame(read_rows(table.paths, contract.arrow_schema))
        assert broken_rules(contract, rows) == {}, name
    pass_audit(run, job)


def check_and_publish(job: str, run: str) -> None:
    check(job, run)
    publish.main(["--job", job, "--run", run])


def run_job(job: str, day: date, run: str, then: Callable[[str, str], None] = check_and_publish) -> None:
    """Build, check and publish; a day without anything to do is skipped.

    Args:
        job: name of the job.
        day: the day, as for `build`.
        run: identifier of the run.
        then: `check_and_publish` or `audit_and_publish`.
    """
    with contextlib.suppress(NothingToDo):
        build(job, day, run)
        then(job, run)


def run_late_days(run: str, then: Callable[[str, str], None] = check_and_publish) -> None:
    """Build, check and publish again the days of sessions that late events changed."""
    for day in late_sessions(open_lake()):
        run_job("sessionize", day, f"{run}-late-{day}", then)


def run_day(day: date, run: str, then: Callable[[str, str], None] = check_and_publish) -> None:
    """All jobs of a day in Airflow's order, and the late days."""
    for job in ("clean", "items", "sessionize"):
        run_job(job, day, run, then)
    run_late_days(run, then)
    run_job("profiles", day, run, then)
