"""The cost of the lake: publishing a partition of many files, and planning a read of one day out of many.

``python -m tests.benchmarks.lake`` runs the missing measurements and prints the table. Publishing is timed from the manifest to
the commit; the time for reading the files' footers, which every commit needs, is shown separately.
"""

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from schemas.lake.filters import equals
from schemas.lake.lake import open_lake
from schemas.publishing import audit, publish
from schemas.publishing.audit_record import read_audit
from schemas.publishing.staging import open_attempt, read_manifest
from schemas.runtime.cli import log, run_command
from schemas.runtime.settings import get_settings
from tests.benchmarks.rows import PLAN, PUBLISH, Book, Row
from tests.benchmarks.tables import lake_costs
from tests.schemas.conftest import session_rows

NAME = "lake"
DAY = date(2026, 1, 1)
ROWS_A_FILE = 50
FILES, PARTITIONS, PLANS = 2_000, 1_000, 5
JOB, RUN = "sessionize", "bench"


@dataclass
class Clock:
    """The seconds of one measurement."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def timed() -> Iterator[Clock]:
    clock, wall, cpu = Clock(), time.monotonic(), time.process_time()
    yield clock
    clock.wall, clock.cpu = round(time.monotonic() - wall, 3), round(time.process_time() - cpu, 3)


@contextmanager
def empty_state(folder: Path) -> Iterator[None]:
    shutil.rmtree(folder, ignore_errors=True)
    kept = os.environ.get("CLICKWRIGHT_VAR")
    os.environ["CLICKWRIGHT_VAR"] = str(folder)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop("CLICKWRIGHT_VAR")
        if kept is not None:
            os.environ["CLICKWRIGHT_VAR"] = kept


def publish_files(row: Row) -> None:
    """Measure the publication of one day in ``row.events`` files."""
    with open_attempt(JOB, RUN, {}) as attempt:
        paths = []
        for number in range(row.events):
            rows = session_rows(DAY, ROWS_A_FILE, first=number * ROWS_A_FILE)
            path = attempt.folder("sessions") / f"_closed_on={DAY}" / f"part-{number:05d}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(rows, path, compression="zstd")
            paths.append(str(path))
        attempt.replaces("sessions", "closed_on", [DAY])
        attempt.wrote("sessions", paths)
    audit.main(["--job", JOB, "--run", RUN])
    manifest, record, lake = read_manifest(JOB, RUN), read_audit(JOB, RUN), open_lake()
    with timed() as footers:
        for written in paths:
            pq.read_metadata(written)
    with timed() as whole:
        publish.publish(lake, manifest, record)
    row.cpu_seconds, row.wall_seconds = whole.cpu, whole.wall
    row.notes = {"footers_seconds": footers.wall, "rows": manifest.tables["sessions"].rows}


def plan_one_day(days_a_commit: int, row: Row) -> None:
    """Measure the planning of a read of one of ``row.events`` days.

    Args:
        days_a_commit: the number of days that each commit publishes.
        row: receives the measurement.
    """
    lake = open_lake()
    properties = {"run": RUN, "job": JOB, "code-version": "0", "notes": json.dumps({"lines_read": 1, "events": 1})}
    days = [DAY + timedelta(days=number) for number in range(row.events)]
    with timed() as made:
        for first in range(0, len(days), days_a_commit):
            files = {}
            for number, day in enumerate(days[first : first + days_a_commit], first):
                path = lake.folder / "data" / "sessions" / str(number) / "part-0.parquet"
                path.parent.mkdir(parents=True)
                pq.write_table(session_rows(day, 1), path)
                files[day] = [str(path)]
            lake.replace("sessions", "closed_on", files, {**properties, "manifest": str(first)}, {})
    with timed() as again:
        lake.replace("sessions", "closed_on", {days[0]: []}, {**properties, "manifest": "again"}, {})
    with timed() as whole:
        for number in range(PLANS):
            found = open_lake().files("sessions", equals("closed_on", days[(number + 1) * len(days) // (PLANS + 1)]))
            assert len(found) == 1
    row.cpu_seconds, row.wall_seconds = round(whole.cpu / PLANS, 3), round(whole.wall / PLANS, 3)
    row.notes = {"days_a_commit": days_a_commit, "commits_seconds": made.wall, "last_commit_seconds": again.wall}


def bench(book: Book, folder: Path, files: int, partitions: int, days_a_commit: int, rounds: int) -> None:
    for number in range(rounds):
        publishing, planning = Row(PUBLISH, NAME, files, number), Row(PLAN, NAME, partitions, number)
        for row, measure in ((publishing, publish_files), (planning, partial(plan_one_day, days_a_commit))):
            if book.has(row):
                continue
            log.info("measuring", what=row.what, size=row.events, round=number)
            with empty_state(folder):
                measure(row)
            book.add(row)
            log.info("measured", wall_seconds=row.wall_seconds, **row.notes)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the missing measurements and print the table."""
    parser = argparse.ArgumentParser(description="Measure the cost of publishing and planning; existing measurements are kept.")
    parser.add_argument("--files", type=int, default=FILES, help="files of the published partition")
    parser.add_argument("--partitions", type=int, default=PARTITIONS, help="days in the planned table")
    parser.add_argument(
        "--days-a-commit", type=int, default=1, help="days per commit; with 1, a thousand commits take some minutes"
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path, default=None, help="file of the measurements (default: <var>/bench.json)")
    args = parser.parse_args(argv)
    var = get_settings().var
    book = Book(args.json or var / "bench.json")
    bench(book, var / "bench" / "lake", args.files, args.partitions, args.days_a_commit, args.rounds)
    print(lake_costs(book), flush=True)
    return {"measurements": len([*book.of(PUBLISH), *book.of(PLAN)])}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
