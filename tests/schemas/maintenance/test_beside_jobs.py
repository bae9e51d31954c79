"""Maintenance runs while others publish and read: no row is lost, duplicated or unreadable."""

import time
from datetime import date, timedelta
from typing import Any

import pytest

from schemas.lake.lake import open_lake
from tests.schemas.processes import CONTEXT, ROWS, keep_keeping, keep_publishing, keep_reading, publish_version, start

pytestmark = pytest.mark.slow

DAYS = [date(2026, 11, 18) + timedelta(days=i) for i in range(3)]


def run_beside(publishers: int, readers: int, least_s: float) -> list[tuple[str, str, Any]]:
    """Run publishers (one day each), readers and maintenance for some time; returns their reports.

    Maintenance keeps files younger than a few publishes, so the test also works on a slow machine.
    """
    for version in (1, 2):  # the first one also imports modules
        began = time.time()
        publish_version(DAYS[0], version)
        open_lake().arrow("sessions")
    age = max(least_s, 3 * (time.time() - began) * (publishers + readers))
    until, said = time.time() + 4 * age, CONTEXT.Queue()
    days = [DAYS[0] + timedelta(days=1 + i) for i in range(publishers)]
    processes = [start(keep_publishing, day, until, said) for day in days]
    processes += [start(keep_reading, until, said) for _ in range(readers)]
    processes.append(start(keep_keeping, until, age, said))
    answers = [said.get(timeout=120 + 4 * age + until - time.time()) for _ in processes]
    for process in processes:
        process.join(60)
    return answers


def check(answers: list[tuple[str, str, Any]]) -> dict[str, Any]:
    assert [answer for answer in answers if answer[0] == "failed"] == []
    rows = open_lake().arrow("sessions").to_pylist()
    for what, day, version in answers:
        if what == "published":
            assert [row["n_items"] for row in rows if str(row["closed_on"]) == day] == [version] * ROWS
            assert open_lake().current_commits("sessions")[day].run == f"{day}-{version}"
    return next(done for what, _, done in answers if what == "kept")


def test_maintenance_with_publishers_and_a_reader() -> None:
    done = check(run_beside(publishers=2, readers=1, least_s=2))
    assert all(done.values()), f"maintenance did nothing: {done}"


@pytest.mark.faults
@pytest.mark.timeout(1200)
def test_maintenance_with_many_publishers_and_readers() -> None:
    answers = run_beside(publishers=4, readers=3, least_s=20)
    done = check(answers)
    print({what: [n for w, _, n in answers if w == what] for what in ("published", "read")}, done)
    assert all(done.values())
