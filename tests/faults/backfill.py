"""A backfill of a few days by the commands that Airflow runs, in one process: every job is built, audited and published.

Late days are processed again. A journal records the finished steps, as Airflow does, so that a restart continues from there.
Each day also has an attempt that its audit must refuse, so that there are always staged rows that no reader may see.
"""

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from schemas.publishing import audit, publish
from schemas.publishing.staging import open_attempt
from schemas.runtime.cli import run_command
from schemas.runtime.errors import ClickwrightError, Refused
from schemas.runtime.settings import get_settings
from tests.jobs.simulated import FIRST_DAY, simulate
from tests.pipeline import audit_and_publish, build, run_jobs_here, run_late_days
from tests.schemas.conftest import session_rows

BUILD, AUDIT, PUBLISH = WHAT = ("build", "audit", "publish")
BAD, LATE = "bad", "late"
ENVIRONMENT = {"CLICKWRIGHT_SOURCES": "simulated", "CLICKWRIGHT_PSEUDONYM_KEY": "the key of the tests, long enough"}
"""One fixed key: different keys would give two backfills different pseudonyms."""


def deliver(var: Path, events: int, days: int) -> None:
    """Write the landing zone of a few simulated days, with defects and late lines."""
    simulate(var, events=events, users=max(20, events // 40), items=200, days=days, dirt=0.05)


@dataclass(frozen=True)
class Step:
    """One task of the backfill."""

    day: date
    job: str
    what: str

    def __str__(self) -> str:
        return f"{self.day} {self.job} {self.what}"

    def run(self) -> None:
        run = f"{'bad' if self.job == BAD else 'backfill'}-{self.day}"
        if self.job == LATE:
            run_late_days(run, audit_and_publish)
        elif self.job == BAD:
            self._run_bad(run)
        elif self.what == BUILD:
            build(self.job, self.day, run)
        else:
            (audit if self.what == AUDIT else publish).main(["--job", self.job, "--run", run])

    def _run_bad(self, run: str) -> None:
        """Stage rows that break their contract; neither the audit nor the publication may let them pass."""
        if self.what == BUILD:
            with open_attempt("sessionize", run, {}) as attempt:
                rows = session_rows(self.day, 3, duration_s=-1.0)
                attempt.write_arrow("sessions", rows, replaces=("closed_on", [self.day]))
            return
        with contextlib.suppress(Refused):
            (audit if self.what == AUDIT else publish).main(["--job", "sessionize", "--run", run])
            raise ClickwrightError(f"rows that break their contract passed {self.what}; at {self.day}; fix it")


def steps(days: int) -> list[Step]:
    """All steps, in Airflow's order, one day after the other."""
    dates = [FIRST_DAY + timedelta(days=i) for i in range(days)]
    return [Step(day, job, what) for day in dates for job in jobs_of(day) for what in (WHAT if job != LATE else [BUILD])]


def jobs_of(day: date) -> Iterator[str]:
    for job in ("clean", "items", "sessionize", BAD, LATE, "profiles"):
        if job != "items" or day == FIRST_DAY:  # the catalogue arrives once
            yield job


def beside(var: Path, name: str) -> Path:
    """A path for the tests' notes, outside ``var`` and its possibly small disk."""
    return var.with_name(f"{var.name}-{name}")


class Journal:
    """The begun and finished steps: one line each, written immediately."""

    def __init__(self) -> None:
        self.path = beside(get_settings().var, "journal")

    def lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    def note(self, line: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(file, f"{line}\n".encode())
        finally:
            os.close(file)

    def done(self) -> set[str]:
        return {line.removeprefix("done ") for line in self.lines() if line.startswith("done ")}

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)


def backfill(days: int) -> tuple[int, str]:
    """Run the unfinished steps.

    Returns:
        0 and an empty text if all steps are done, else the exit code of the first failed step and its error line.
    """
    run_jobs_here()
    journal = Journal()
    done = journal.done()
    for step in steps(days):
        if str(step) in done:
            continue
        journal.note(f"begin {step}")
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = run_command(partial(_result, step))
        if code:
            return code, said.getvalue().strip().splitlines()[-1]
        journal.note(f"done {step}")
    return 0, ""


def _result(step: Step) -> dict[str, str]:
    step.run()
    return {}
