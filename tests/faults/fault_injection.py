"""Disturbs a backfill, restarts it, and reports the result. A separate process, which forks the backfill again and again.

``python -m tests.faults.fault_injection kills --days 3 --events 600 --times 50 --seed 7`` prints counts as JSON. Kinds:

``kills``    the backfill is killed by SIGKILL, at a random moment of a step of a random kind
``catalog``  the catalog disappears and returns (SQLite: its file is moved away; PostgreSQL: stopped immediately)
``disk``     the disk fills up at a random moment (run it with CLICKWRIGHT_VAR on a small file system)
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from schemas.lake.catalog import has_tables
from schemas.lake.lake import open_lake
from schemas.publishing import validator  # noqa: F401 - imported before the first fork, as it takes seconds
from schemas.runtime.settings import get_settings
from tests.faults.backfill import WHAT, Journal, backfill, beside, deliver
from tests.faults.servers import Postgres
from tests.faults.versions import Partitions, Versions, partitions
from tests.faults.worker_process import WorkerProcess

POLL_SECONDS = 0.002
LONGEST_LIFE = 120.0
CLEAR = ("error: the catalog cannot be used (", "error: the catalog is missing or empty, but the lake holds tables;")
FULL = (
    "error: No space left on device; ",
    "error: the catalog cannot be used (database or disk is full)",
    "error: the catalog cannot be used (disk I/O error)",
)
LARGEST_REST = 64 << 10


class Disturbed:
    """A disturbed backfill, and an undisturbed one as its reference."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.var = get_settings().var
        self.days: int = args.days
        self.random = random.Random(args.seed)
        self.counts: Counter[str] = Counter()
        self.versions = Versions()
        self.longest = dict.fromkeys(WHAT, 0.0)
        deliver(self.var, args.events, args.days)
        self.right = self._undisturbed()

    def _undisturbed(self) -> Partitions:
        """Run the reference; record all versions of each partition and the longest duration of each kind of step."""
        with elsewhere(beside(self.var, "undisturbed"), self.var / "landing"):
            child = WorkerProcess(self.backfill, beside(self.var, "report"))
            journal, published, begun = Journal(), 0, 0.0
            while not child.ended():
                lines = journal.lines()
                if len(lines) > published and lines[-1].startswith("begin"):
                    published, begun = len(lines), time.monotonic()
                elif len(lines) > published:
                    what = lines[-1].rpartition(" ")[2]
                    self.longest[what] = max(self.longest[what], time.monotonic() - begun)
                    published = len(lines)
                time.sleep(POLL_SECONDS)
            assert child.wait() == 0, child.said
            # Each commit is read from its snapshot, so the result does not depend on the time of reading.
            lake = open_lake()
            for name, commits in {name: lake.commits(name) for name in partitions(lake)}.items():
                for commit in commits:
                    self.versions.add(partitions(lake, {name: commit.snapshot_id}))
            return partitions(lake)

    def backfill(self) -> tuple[int, str]:
        return backfill(self.days)

    def child(self) -> WorkerProcess:
        self.counts["lives"] += 1
        return WorkerProcess(self.backfill, beside(self.var, "report"))

    def finish(self) -> dict[str, Any]:
        """Let the backfill end, and compare its tables with the reference."""
        child = self.child()
        assert child.wait() == 0, child.said
        lake = open_lake()
        found = partitions(lake)
        self.counts["commits"] = sum(len(lake.commits(name)) for name in found)
        rows = {name: lake.arrow(name).num_rows for name in found}
        return {**self.counts, "equal": found == self.right, "rows": rows}


@contextmanager
def elsewhere(var: Path, landing: Path) -> Iterator[None]:
    """Use another folder for all state, with the same landing zone."""
    kept = dict(os.environ)
    for name in [name for name in kept if name.startswith(("CLICKWRIGHT_CATALOG", "CLICKWRIGHT_OBJECT_STORE"))]:
        del os.environ[name]
    os.environ |= {"CLICKWRIGHT_VAR": str(var), "CLICKWRIGHT_LANDING": str(landing)}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= kept


def until(child: WorkerProcess, condition: Callable[[], bool]) -> bool:
    """Wait for a condition; False if the child ended first."""
    end = time.monotonic() + LONGEST_LIFE
    while not condition():
        if child.ended() or time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True


def a_moment(of: Disturbed, child: WorkerProcess) -> str | None:
    """Wait for a random moment of a step of a random kind; None if the backfill ended first."""
    what = of.random.choice(WHAT)
    journal = Journal()
    before = len(journal.lines())

    def begun() -> bool:
        return any(line.startswith("begin") and line.endswith(what) for line in journal.lines()[before:])

    if not until(child, begun):
        return None
    end = time.monotonic() + of.random.uniform(0, of.longest[what])
    until(child, lambda: time.monotonic() >= end)
    return None if child.ended() else journal.lines()[-1].rpartition(" ")[2]


def kills(of: Disturbed, times: int) -> None:
    while of.counts["kills"] < times:
        child = of.child()
        what = a_moment(of, child)
        if what is not None:
            child.kill()
            of.counts["kills"] += 1
            of.counts[f"kills in {what}"] += 1
        elif child.wait():
            raise AssertionError(child.said)
        else:
            Journal().clear()  # run everything again, like a backfill of "All Runs"
            of.counts["backfills done"] += 1


def catalog(of: Disturbed, times: int, server: Postgres | None) -> None:
    """Take the catalog away at a random moment: a step that needs it must fail with a clear error; then restore it."""
    file = get_settings().lake_dir / "catalog.db"
    away = file.with_name("away.db")
    while of.counts["catalogs lost"] < times:
        child = of.child()
        # A lake without tables may get a new catalog; that does not count as a loss.
        if a_moment(of, child) is None or (server is None and not has_tables(get_settings())):
            if child.wait():
                raise AssertionError(child.said)
            Journal().clear()
            continue
        if server is None:
            file.rename(away)
        else:
            server.stop()
        of.counts["catalogs lost"] += 1
        if code := child.wait():  # 0: the child no longer needed the catalog
            assert (code, child.said.startswith(CLEAR)) == (1, True), child.said
        if server is None:
            away.replace(file)  # replaces a file that a new connection may have created
        else:
            server.start()


def disk(of: Disturbed, times: int) -> None:
    """Fill the disk at a random moment, almost completely; free it when the backfill has failed."""
    filler = of.var / "filler"
    while of.counts["full disks"] < times:
        child = of.child()
        what = a_moment(of, child)
        if what is not None:
            fill(filler, of.random.randint(0, LARGEST_REST))
        code = child.wait()
        filler.unlink(missing_ok=True)
        if code == 0:
            Journal().clear()
            continue
        assert code == 1, child.said
        assert child.said.startswith(FULL), child.said
        of.counts["full disks"] += 1
        of.counts[f"full disks in {Journal().lines()[-1].rpartition(' ')[2]}"] += 1


def fill(filler: Path, rest: int) -> None:
    """Fill a file system except for ``rest`` bytes, while others write to it."""
    with filler.open("wb") as file:
        while True:
            room = os.statvfs(filler)
            try:
                os.posix_fallocate(file.fileno(), 0, max(1, room.f_bavail * room.f_frsize - rest))
            except OSError:  # another process took the space first
                continue
            return


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description="Disturb a backfill and check its result.")
    parser.add_argument("kind", choices=["kills", "catalog", "disk"])
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--events", type=int, default=600)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--postgres", nargs=2, metavar=("FOLDER", "PORT"), help="the server to stop")
    args = parser.parse_args(argv)
    of = Disturbed(args)
    with reading(of):
        if args.kind == "kills":
            kills(of, args.times)
        elif args.kind == "catalog":
            server = Postgres(Path(args.postgres[0]), int(args.postgres[1])) if args.postgres else None
            catalog(of, args.times, server)
        else:
            disk(of, args.times)
        result = of.finish()
    return {**result, **of.counts}


@contextmanager
def reading(of: Disturbed) -> Iterator[None]:
    """Read every table continuously in another process."""
    beside(of.var, "versions.json").write_text(json.dumps(of.versions.known))
    stop = beside(of.var, "stop")
    reader = subprocess.Popen([sys.executable, "-m", "tests.faults.reader", str(of.var)], stdout=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        stop.touch()
        out, _ = reader.communicate(timeout=120)
    found = json.loads(out.splitlines()[-1])
    of.counts["readings"], of.counts["refused readings"] = found["readings"], found["refused"]
    assert found["strange"] == [], found["strange"]


if __name__ == "__main__":
    print(json.dumps(main()))
