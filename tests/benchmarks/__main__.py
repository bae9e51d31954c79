"""Measure Clickwright and other engines on one job, print tables, and write every measurement to ``var/bench.json``.

Existing measurements are not repeated, so an interrupted run continues. ``python -m tests.benchmarks --help``
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.prepare_spark import archive_classes
from schemas.runtime.cli import log, run_command
from schemas.runtime.settings import Settings, get_settings
from schemas.spark.home import prepared
from tests.benchmarks.checksum import checksums
from tests.benchmarks.data import make_input
from tests.benchmarks.engines.two_jobs import missing
from tests.benchmarks.job import THREADS
from tests.benchmarks.measure import measure
from tests.benchmarks.registry import CLICKWRIGHT, ENGINES, REPLAY, TWO_JOBS, Engine, environment
from tests.benchmarks.rows import COMPARE, GROWTH, SKEW, START_UP, Book, Row
from tests.benchmarks.tables import tables

SMALLEST = 1_000
DAILY_CAP = 5_000
SKEWED = 0.01


@dataclass(frozen=True)
class Bench:
    """The folder and the measurements of the benchmark, and the time limit of a run in seconds."""

    folder: Path
    book: Book
    limit: float

    def input(self, events: int, skewed: float = 0.0) -> tuple[Path, dict[str, Any]]:
        name = f"{events}-skewed" if skewed else str(events)
        return self.folder / "input" / name, make_input(events, self.folder / "input" / name, skewed)

    def run(self, row: Row, engine: Engine, *more: str, skewed: float = 0.0) -> Row | None:
        """Measure one run, check its output, and add it to the book; None if it was measured before."""
        if self.book.has(row):
            return None
        if engine == TWO_JOBS and (lacks := missing()):
            self.book.add(Row(*row.key, failed=lacks))
            return row
        source, holds = self.input(row.events, skewed)
        target, state = self.folder / "output", self.folder / "state"
        shutil.rmtree(target, ignore_errors=True)
        log_file = self.folder / "log" / f"{'-'.join(map(str, row.key))}.err"
        log_file.parent.mkdir(parents=True, exist_ok=True)
        log.info("measuring", what=row.what, engine=engine.name, events=row.events, round=row.round)
        cost = measure(engine.command(source, target, *more), environment(state), THREADS, log_file, self.limit)
        row.cpu_seconds, row.wall_seconds, row.peak_mb = cost.cpu_seconds, cost.wall_seconds, cost.peak_mb
        row.cpu_by, row.notes = (
            cost.cpu_by,
            {"rows": holds["rows"], **(json.loads(cost.output.splitlines()[-1]) if cost.output else {})},
        )
        if cost.exit_code:
            row.failed = cost.stopped or f"exit code {cost.exit_code}; {log_file}"
        else:
            row.checked = self.check(row, engine, holds, target)
        shutil.rmtree(target, ignore_errors=True)
        self.book.add(row)
        log.info("measured", cpu_seconds=row.cpu_seconds, wall_seconds=row.wall_seconds, failed=row.failed, checked=row.checked)
        return row

    def check(self, row: Row, engine: Engine, holds: dict[str, Any], target: Path) -> str:
        """Compare the rows with those of earlier runs on the same input; this is not timed."""
        if engine.compared == "nothing":
            return "not compared"
        found = checksums(target, whole=engine.compared == "all")
        row.notes["checksums"] = found
        wanted = holds["genuine"] + holds["runaway"] - row.notes.get("set_aside", 0)
        if engine.compared == "all" and found["events"]["rows"] != wanted:
            return f"WRONG: {found['events']['rows']} events, not {wanted}"
        for other in self.book.rows:
            for table, sums in other.notes.get("checksums", {}).items():
                if input_of(other) == input_of(row) and found.get(table, sums) != sums:
                    return f"WRONG: {table} differ from those of {other.engine}"
        return "same rows" if engine.compared == "all" else "same by rule 1"


def input_of(row: Row) -> tuple[int, bool, int]:
    """The key of a run's input: runs with the same key must write the same rows."""
    return row.events, row.what == SKEW, row.notes.get("set_aside", 0)


def compare(bench: Bench, events: int, rounds: int, engines: list[Engine]) -> None:
    """Run all engines in turn, starting with a different one in each round."""
    for number in range(rounds):
        first = number % len(engines)
        for engine in engines[first:] + engines[:first]:
            bench.run(Row(START_UP, engine.name, SMALLEST, number), engine)
            if not any(row.failed for row in bench.book.of(COMPARE, engine.name, events)):
                bench.run(Row(COMPARE, engine.name, events, number), engine)


def survive(bench: Bench, engine: Engine, sizes: list[int], rounds: int) -> None:
    """For an engine that failed: find the largest of some smaller sizes that it can process."""
    for events in sorted(sizes, reverse=True):
        for number in range(rounds):
            bench.run(Row(COMPARE, CLICKWRIGHT.name, events, number), CLICKWRIGHT)
            bench.run(Row(COMPARE, engine.name, events, number), engine)
            if any(row.failed for row in bench.book.of(COMPARE, engine.name, events)):
                break
        else:
            return


def skew(bench: Bench, events: int, rounds: int) -> None:
    """One user with 1 % of the events: with and without the daily cap that sets such a user aside."""
    for number in range(rounds):
        bench.run(Row(SKEW, "clickwright, no cap", events, number), CLICKWRIGHT, skewed=SKEWED)
        bench.run(Row(SKEW, "clickwright, daily cap", events, number), CLICKWRIGHT, str(DAILY_CAP), skewed=SKEWED)


def million(text: str) -> int:
    return round(float(text) * 1_000_000)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the missing measurements and print the tables."""
    parser = argparse.ArgumentParser(
        description="Measure Clickwright and other engines; existing measurements are not repeated."
    )
    parser.add_argument("--events", type=million, default=million("20"), help="events in the comparison, in millions")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--growth", type=million, nargs="*", default=[million(n) for n in ("5", "20", "50", "100")])
    parser.add_argument("--engines", nargs="*", default=[e.name for e in ENGINES], help="names of engines to compare")
    parser.add_argument("--limit", type=float, default=3600, help="time limit of a run, in seconds")
    parser.add_argument("--json", type=Path, default=None, help="file of the measurements (default: <var>/bench.json)")
    parser.add_argument("--tables", action="store_true", help="only print the tables of existing measurements")
    args = parser.parse_args(argv)
    var = get_settings().var
    folder, book = var / "bench", Book(args.json or var / "bench.json")
    if not args.tables:
        state = Settings(var=folder / "state")
        archive_classes(prepared(state), state)  # as `make demo` does once
        bench = Bench(folder, book, args.limit)
        compare(bench, args.events, args.rounds, [engine for engine in ENGINES if engine.name in args.engines])
        if any(row.failed for row in book.of(COMPARE, REPLAY.name, args.events)):
            survive(bench, REPLAY, [n for n in (5_000_000, 1_000_000) if n < args.events], args.rounds)
        skew(bench, args.events, args.rounds)
        for events in sorted(args.growth):
            for number in range(args.rounds if events <= args.events else 1):
                bench.run(Row(GROWTH, CLICKWRIGHT.name, events, number), CLICKWRIGHT)
        subprocess.run([sys.executable, "-m", "tests.benchmarks.lake", "--json", str(book.path)], check=True)
        book = Book(book.path)
    print(tables(book, args.events), flush=True)
    if len({row.events for row in book.of(GROWTH)}) > 1:
        subprocess.run([sys.executable, "-m", "tests.benchmarks.growth_plot", str(book.path)], check=True)
    return {"measurements": len(book.rows), "wrong": sum("WRONG" in (row.checked or "") for row in book.rows)}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
