"""The reference for a backfill: days processed one after the other by the same commands, without Airflow.

``python -m tests.browser.sequential_reference 2026-01-05 2026-01-07``, in the environment of the stack.
"""

import contextlib
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType

from jobs import clean, items, profiles, sessionize
from jobs.late_days import late_sessions
from schemas.lake.lake import open_lake
from schemas.publishing import audit, publish
from schemas.runtime.errors import NothingToDo
from schemas.runtime.settings import ROOT
from tests.jobs.in_process_exchange import run_jobs_here


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def job(module: ModuleType, run: str, *arguments: str) -> None:
    """Build, audit and publish; a day without a new catalogue is skipped."""
    which = ["--job", module.__name__.removeprefix("jobs."), "--run", run]
    with contextlib.suppress(NothingToDo):
        module.main([*arguments, "--run", run])
        audit.main(which)
        publish.main(which)


def run_day(day: date) -> None:
    run = f"one-by-one-{day}"
    job(clean, run, "--arrived-on", str(day))
    job(items, run, "--as-of", str(day))
    for closed_on in [day, *late_sessions(open_lake())]:
        job(sessionize, f"{run}-{closed_on}", "--from", str(closed_on), "--to", str(closed_on))
    job(profiles, run, "--as-of", str(day))


def in_sequence(var: Path, first: date, last: date, env: dict[str, str]) -> None:
    """Process the days in ``var``, in a separate process."""
    command = [sys.executable, "-m", __name__, str(first), str(last)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **env, "CLICKWRIGHT_VAR": str(var)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


if __name__ == "__main__":
    run_jobs_here()
    for each in days(date.fromisoformat(sys.argv[1]), date.fromisoformat(sys.argv[2])):
        run_day(each)
