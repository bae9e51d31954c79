"""The input: simulated events with planted duplicates, invalid rows and users without pauses; reproducible byte by byte.

``python -m tests.benchmarks.data --events 1000000 --to var/bench/input/1000000``
"""

import argparse
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.job import COLUMNS, GAP, LATEST, input_files

COPIES, INVALID = 0.01, 0.005
SLEEPLESS_EVENTS = 193
"""Four days, an event exactly every 30 minutes: edge cases of rules 1 and 2."""
SLEEPLESS_SHARE = 5
"""Files with fewer than this many times the events get no sleepless user: a day with a fifth of rejects is not published."""
FIRST_NIGHT = datetime(2026, 1, 5, 22, 15, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("user_id", pa.dictionary(pa.int32(), pa.string())),
        ("event_type", pa.dictionary(pa.int8(), pa.string())),
        ("event_time", pa.timestamp("us", tz="UTC")),
        ("item_id", pa.dictionary(pa.int32(), pa.string())),
    ]
)
ABOUT = "_about.json"  # Spark ignores files that start with an underscore


def make_input(events: int, folder: Path, skewed: float = 0.0) -> dict[str, Any]:
    """Make the input unless it exists; returns its row counts and size in bytes.

    Args:
        events: the approximate number of genuine events.
        folder: the folder of the files.
        skewed: the share of additional events that belong to one user.
    """
    about = folder / ABOUT
    if not about.exists():
        fresh, simulated = folder.with_name(f".{folder.name}"), folder.with_name(f".{folder.name}-simulated")
        for scratch in (fresh, simulated):
            shutil.rmtree(scratch, ignore_errors=True)
        fresh.mkdir(parents=True)
        command = [sys.executable, "-m", "jobs.simulate", "--events", str(events), "--format", "parquet", "--truth", "none"]
        subprocess.run([*command, "--landing", str(simulated.absolute())], check=True, stdout=subprocess.DEVNULL)
        figures = _plant(sorted((simulated / "simulated-parquet").rglob("*.parquet")), fresh, skewed)
        (fresh / ABOUT).write_text(json.dumps(figures))
        shutil.rmtree(simulated)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    found: dict[str, Any] = json.loads(about.read_text())
    return found | {"bytes": sum(path.stat().st_size for path in input_files(folder))}


def _plant(files: list[Path], folder: Path, skewed: float) -> dict[str, Any]:
    figures = {"genuine": 0, "copies": 0, "invalid": 0, "runaway": 0, "rows": 0}
    before: pa.Table | None = None  # copies are in the file after their originals; those of the first file in the same file
    for number, path in enumerate(files):
        random = np.random.default_rng([number, 20260105])
        genuine = _plain(pq.read_table(path, columns=COLUMNS))
        if len(genuine) > SLEEPLESS_SHARE * SLEEPLESS_EVENTS:
            genuine = pa.concat_tables([genuine, sleepless(number)])
        copies = _some(before if before is not None else genuine, COPIES, random)
        invalid = _broken(_some(genuine, INVALID, random))
        runaway = _runaway(_some(genuine, skewed, random))
        rows = pa.concat_tables([genuine, copies, invalid, runaway]).sort_by("event_time")
        pq.write_table(rows.cast(SCHEMA), folder / f"part-{number:05d}.parquet", compression="zstd")
        made = {"genuine": genuine, "copies": copies, "invalid": invalid, "runaway": runaway, "rows": rows}
        figures = {name: figures[name] + len(table) for name, table in made.items()}
        before = genuine
    return figures


def _plain(table: pa.Table) -> pa.Table:
    return table.cast(
        pa.schema([f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in table.schema])
    )


def _some(table: pa.Table, share: float, random: np.random.Generator) -> pa.Table:
    return table.take(np.sort(random.choice(len(table), round(share * len(table)), replace=False)))


def _broken(rows: pa.Table) -> pa.Table:
    """Rows with one defect each, in turn: no id, no user, no time, an unknown type, a time out of range."""
    columns = {name: rows[name].to_pylist() for name in rows.column_names}
    columns["event_id"] = [f"broken-{event_id}" for event_id in columns["event_id"]]
    wrong: list[tuple[str, Any]] = [("event_id", None), ("user_id", None), ("event_time", None), ("event_type", "explosion")]
    wrong.append(("event_time", LATEST + timedelta(days=1)))
    for row in range(len(rows)):
        name, value = wrong[row % len(wrong)]
        columns[name][row] = value
    return pa.table(columns, schema=rows.schema)


def _runaway(rows: pa.Table) -> pa.Table:
    """The same events, all by one bot."""
    ids = [f"r{event_id[1:]}" for event_id in rows["event_id"].to_pylist()]
    rows = rows.set_column(0, "event_id", pa.array(ids, pa.string()))
    return rows.set_column(1, "user_id", pa.array(["runaway@sim.example"] * len(rows), pa.string()))


def sleepless(number: int) -> pa.Table:
    """The events of a user without pauses for days."""
    times = [FIRST_NIGHT + timedelta(seconds=number) + n * GAP for n in range(SLEEPLESS_EVENTS)]
    ids = [f"{number:06x}{n:010x}" for n in range(SLEEPLESS_EVENTS)]
    made = {"event_id": ids, "user_id": [f"sleepless-{number}@sim.example"] * len(ids), "event_type": ["view"] * len(ids)}
    rows = pa.table({**made, "event_time": times, "item_id": [f"p{n:08d}" for n in range(len(ids))]})
    return rows.cast(pa.schema([SCHEMA.field(n) if n == "event_time" else pa.field(n, pa.string()) for n in COLUMNS]))


def main() -> None:
    parser = argparse.ArgumentParser(description="Make an input of the benchmark.")
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--skewed", type=float, default=0.0)
    args = parser.parse_args()
    print(json.dumps(make_input(args.events, args.to, args.skewed)))


if __name__ == "__main__":
    main()
