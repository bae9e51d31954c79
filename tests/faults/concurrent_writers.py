"""Many processes publish to shared and separate partitions; then the lake is compared with their reports.

``python -m tests.faults.concurrent_writers --seconds 60`` prints counts as JSON. All published rows were staged before, each
with a record that its audit passed.
"""

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from schemas.lake.commits import PROPERTY
from schemas.lake.lake import Lake, open_lake
from schemas.publishing import publish
from schemas.publishing.audit_record import read_audit
from schemas.publishing.staging import open_attempt, read_manifest
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import get_settings
from tests.faults.worker_process import WorkerProcess
from tests.schemas.conftest import DAY, session_rows
from tests.schemas.lakes import pass_audit

WRITERS, STAGERS = 8, 2
TABLE, FIELD, JOB = "sessions", "closed_on", "sessionize"
SHARED = [DAY]
"""Partitions that all writers publish to; each writer also has its own."""


def runs(writer: int) -> dict[str, Any]:
    """The runs of a writer, and the partition that each replaces."""
    days = [*SHARED, DAY + timedelta(days=10 + writer)]
    return {f"writer-{writer}-{number}": day for number, day in enumerate(days)}


def stage(writers: Iterable[int]) -> tuple[int, str]:
    for writer in writers:
        for number, (run, day) in enumerate(runs(writer).items()):
            with open_attempt(JOB, run, {}) as attempt:
                rows = session_rows(day, 1 + writer + number, first_event_id=run)
                attempt.write_arrow(TABLE, rows, replaces=(FIELD, [day]))
            pass_audit(run, JOB)
    return 0, ""


def write(writer: int, seconds: float, seed: int) -> tuple[int, str]:
    """Publish repeatedly until the time is over, and once at least.

    The report has the snapshot of each commit, and the error message of each conflict.
    """
    chance = random.Random(seed * WRITERS + writer)
    mine = {run: (read_manifest(JOB, run), read_audit(JOB, run)) for run in runs(writer)}
    won: list[tuple[str, int]] = []
    lost: list[str] = []
    end = time.monotonic() + seconds
    lake = open_lake()  # all writers at once, on a catalog that does not exist yet
    while time.monotonic() < end or not won:
        run = chance.choice(list(mine))
        try:
            won.append((run, publish.publish(lake, *mine[run])[TABLE]["snapshot"]))
        except ClickwrightError as error:
            lost.append(str(error))
    return 0, json.dumps({"won": won, "lost": lost})


def verify(lake: Lake, won: list[tuple[str, int]]) -> None:
    """The history holds exactly the reported commits, and each partition shows its last commit."""
    table = lake.table(TABLE)
    snapshot, history = table.current_snapshot(), []
    while snapshot is not None:
        history.append(snapshot)
        snapshot = None if snapshot.parent_snapshot_id is None else table.snapshot_by_id(snapshot.parent_snapshot_id)
    ends = {s.snapshot_id: s.summary[f"{PROPERTY}run"] for s in history if s.summary.operation.value == "append"}
    assert Counter(snapshot for _, snapshot in won) == Counter(list(ends)), "a commit was lost or duplicated"
    assert {snapshot: run for run, snapshot in won} == ends, "a commit was attributed to another run"
    where = {run: day for writer in range(WRITERS) for run, day in runs(writer).items()}
    newest: dict[Any, str] = {}
    for run in ends.values():  # newest first
        newest.setdefault(where[run], run)
    rows = lake.arrow(TABLE)
    shown = Counter(zip(rows[FIELD].to_pylist(), rows["first_event_id"].to_pylist(), strict=True))
    staged = {(day, run): read_manifest(JOB, run).tables[TABLE].rows for day, run in newest.items()}
    assert shown == Counter(staged), "a partition differs from its last commit"


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description="Publish from many processes at once, and check that no commit is lost.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args(argv)
    var = get_settings().var
    var.mkdir(parents=True, exist_ok=True)
    stagers = [WorkerProcess(partial(stage, range(n, WRITERS, STAGERS)), var / f"stager-{n}.json") for n in range(STAGERS)]
    assert [child.wait() for child in stagers] == [0] * STAGERS, [child.said for child in stagers]
    children = [WorkerProcess(partial(write, n, args.seconds, args.seed), var / f"writer-{n}.json") for n in range(WRITERS)]
    assert [child.wait() for child in children] == [0] * WRITERS, [child.said for child in children]
    said = [json.loads(child.said) for child in children]
    won = [(run, snapshot) for each in said for run, snapshot in each["won"]]
    lost = [message for each in said for message in each["lost"]]
    assert all("run publish again" in message for message in lost), lost
    verify(open_lake(), won)
    return {
        "writers": WRITERS,
        "commits": len(won),
        "losers told": len(lost),
        "least of a writer": min(len(s["won"]) for s in said),
    }


if __name__ == "__main__":
    print(json.dumps(main()))
