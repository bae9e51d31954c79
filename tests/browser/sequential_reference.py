"""The reference for a backfill: days processed one after the other by the same commands, without Airflow.

``python -m tests.browser.sequential_reference 2026-01-05 2026-01-07``, in the environment of the stack.
"""

import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

from schemas.runtime.settings import ROOT
from tests.pipeline import run_day, run_jobs_here


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


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
        run_day(each, f"in-sequence-{each}")
