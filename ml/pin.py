"""Pin the data of a training: tag the snapshots in the lake and write down which they are.

Everything after it (training, evaluation, challenge) reads these snapshots, so clearing a task or reproducing a version a year
later sees the same rows, whatever was published since.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from schemas.cli import day, log, run_id_default
from schemas.errors import ClickwrightError, NothingToDo
from schemas.lake import open_lake
from schemas.settings import get_settings
from schemas.staging import slug, write_atomically
from schemas.version import code_version

TABLES = ("session_events", "items")


def training_folder(run: str) -> Path:
    """Where a training keeps its files."""
    return get_settings().var / "training" / slug(run)


def pin(run: str, train_until: date, valid_days: int) -> dict[str, Any]:
    """Pin the current snapshots for a training; one that was pinned before stays as it is.

    Raises:
        ClickwrightError: a table is still empty, or the run was pinned for other dates.
        NothingToDo: no session closed from ``train_until`` on, so that nothing could be tested.
    """
    path = training_folder(run) / "data.json"
    wanted = {"train_until": train_until.isoformat(), "valid_days": valid_days}
    if path.exists():
        pinned = read_pin(run)
        if {key: pinned[key] for key in wanted} != wanted:
            raise ClickwrightError(
                f"training {run} is pinned for {pinned['train_until']}, {pinned['valid_days']} days; in {path}; "
                "give another --run"
            )
        return pinned
    lake = open_lake()
    snapshots = {table: snapshot for table in TABLES if (snapshot := lake.snapshot(table)) is not None}
    if missing := [table for table in TABLES if table not in snapshots]:
        raise ClickwrightError(f"table {', '.join(missing)} is empty; in the lake; run the days before {train_until} first")
    closed = lake.partitions("session_events", "closed_on", snapshots["session_events"])
    if not closed or closed[-1] < train_until:
        raise NothingToDo(f"no session closed on {train_until} or later, so there is nothing to test on; nothing to train")
    for table, snapshot in snapshots.items():
        lake.tag(table, snapshot, f"train-{slug(run)}")
    known = [as_of for as_of in lake.partitions("items", "as_of", snapshots["items"]) if as_of < train_until]
    pinned = {
        "run": run,
        "training": slug(run),
        "snapshots": snapshots,
        **wanted,
        "valid_from": (train_until - timedelta(days=valid_days)).isoformat(),
        # The catalogue as it was known then; with none that early, items are known by their events alone.
        "items_as_of": known[-1].isoformat() if known else None,
        "code_version": code_version(),
        "seed": get_settings().seed,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(pinned, indent=1) + "\n")
    log.info("pinned", training=pinned["training"], **{f"{k}_snapshot": v for k, v in snapshots.items()})
    return pinned


def read_pin(run: str) -> dict[str, Any]:
    """What ``pin`` wrote.

    Raises:
        ClickwrightError: this run was not pinned.
    """
    path = training_folder(run) / "data.json"
    if not path.exists():
        raise ClickwrightError(f"training {run} has no pinned data; no {path}; run `python -m ml.pin` for it first")
    pinned: dict[str, Any] = json.loads(path.read_text())
    return pinned


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Pin the current snapshots for a training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default=run_id_default(), help="name of the training run")
    parser.add_argument(
        "--train-until",
        type=day,
        required=True,
        help="fit on what happened and arrived before this day, 00:00 UTC; test on the rest",
    )
    parser.add_argument("--valid-days", type=int, default=14, help="days before it that choose between models (14)")
    arguments = parser.parse_args(argv)
    if arguments.valid_days < 1:
        parser.error("--valid-days must be at least 1")
    return pin(arguments.run, arguments.train_until, arguments.valid_days)


if __name__ == "__main__":
    from schemas.cli import run_command

    raise SystemExit(run_command(main))
