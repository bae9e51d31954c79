"""Measure epochs of both in turn, several rounds, and print their medians.

``python -m tests.benchmarks.epochs --sequences Beauty.txt.gz``
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ml.benchmark.datasets import opened, read_sequences
from schemas.runtime.cli import log, run_command
from schemas.runtime.errors import ConfigError
from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import ROOT, get_settings

PACKAGE = "tests.benchmarks.epochs"
PEER = ROOT / ".venv-recbole/bin/python"
NAME = "sequences"
USERS_A_STEP = 64


def write_both(sequences: Path, users: int | None, folder: Path) -> Path:
    """The file, or evenly spread users of it: for us as it is, and as RecBole reads it, a line an interaction in order of time.

    Returns:
        Where ours is; the other is in ``folder``, as ``NAME/NAME.inter``.
    """
    with opened(sequences) as file:
        rows = file.readlines()
    rows = rows[:: max(1, len(rows) // (users or len(rows)))][:users]
    ours = folder / f"{NAME}.txt"
    ours.write_text("".join(rows))
    events, _ = read_sequences(ours)
    lines = ["user_id:token\titem_id:token\ttimestamp:float"]
    lines += [
        f"u{user}\ti{item}\t{time}" for user, item, time in zip(events.user_index, events.item_index, events.time, strict=True)
    ]
    (folder / NAME).mkdir()
    (folder / NAME / f"{NAME}.inter").write_text("\n".join(lines) + "\n")
    return ours


def measured(command: list[str], threads: int, folder: Path) -> dict[str, Any]:
    """What an engine says of its epochs; RecBole leaves files where it runs, so both run in ``folder``.

    Raises:
        ConfigError: it failed; its last words are in the message.
    """
    environment = {
        **os.environ,
        "OMP_WAIT_POLICY": "passive",  # a thread that spins while it waits costs processor seconds on a busy machine
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)
    if done.returncode:
        raise ConfigError(f"an engine failed; {' '.join(command[:3])}; {done.stderr[-500:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def compare(arguments: argparse.Namespace) -> dict[str, Any]:
    """Both in turn, round after round: medians over the epochs of all rounds."""
    ours, theirs = [sys.executable, "-m", f"{PACKAGE}.clickwright"], [str(arguments.peer), "-m", f"{PACKAGE}.recbole_sasrec"]
    runs: dict[str, list[dict[str, Any]]] = {"Clickwright": [], "RecBole": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ours += ["--sequences", str(write_both(arguments.sequences, arguments.users, folder))]
        theirs += ["--data", scratch, "--name", NAME]
        epochs = ["--epochs", str(arguments.epochs)]
        for number in range(arguments.rounds):
            found = measured([*ours, *epochs, "--batch", str(USERS_A_STEP)], arguments.threads, folder)
            rows = arguments.rows or round(found["labels"] / found["steps"])
            runs["Clickwright"].append(found)
            runs["RecBole"].append(measured([*theirs, *epochs, "--batch", str(rows)], arguments.threads, folder))
            log.info("measured", round=number + 1)
    return {name: summary(found) for name, found in runs.items()}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the epochs of all rounds."""
    values = {clock: [value for run in runs for value in run[clock]] for clock in ("cpu", "wall")}
    medians = {f"{clock}_seconds": median(found) for clock, found in values.items()}
    return {**medians, "labels": runs[0]["labels"], "steps": runs[0]["steps"], "all": values}


def table(found: dict[str, Any]) -> str:
    ours = found["Clickwright"]
    lines = [
        "| | labels an epoch | steps | CPU s an epoch | times ours | wall s | times ours |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, row in found.items():
        cells = [f"{row[clock]:.1f} | {row[clock] / ours[clock]:.1f}" for clock in ("cpu_seconds", "wall_seconds")]
        lines.append(f"| {name} | {row['labels']:,} | {row['steps']:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Compare what an epoch costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=Path, required=True, help="a user a line, items in order; perhaps .gz")
    parser.add_argument("--users", type=int, help="so many of them, evenly spread (default: all)")
    parser.add_argument("--epochs", type=int, default=3, help="epochs a run, the first of which warms up (3)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, in turn (3)")
    parser.add_argument("--rows", type=int, help="of RecBole, a step (default: as many as a step here has labels)")
    parser.add_argument("--threads", type=int, default=2, help="threads of the arithmetic (2)")
    parser.add_argument(
        "--peer", type=Path, default=PEER, help="Python that has RecBole (default: as make bench-epochs installs it)"
    )
    arguments = parser.parse_args(argv)
    if arguments.epochs < 2:
        parser.error("--epochs must be 2 or more: the first one warms up")
    if not arguments.peer.exists():
        raise ConfigError(f"RecBole's environment is missing; {arguments.peer}; run `make bench-epochs`")
    found = compare(arguments)
    print(table(found), flush=True)
    write_atomically(get_settings().var / "epochs.json", json.dumps(found, indent=1) + "\n")
    return {name: round(row["cpu_seconds"], 1) for name, row in found.items()}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
