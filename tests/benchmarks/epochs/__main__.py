"""Measure epochs of Clickwright and RecBole alternately, for several rounds, and print the medians.

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
    """Write the sequences in our form, and in RecBole's form with one interaction per line.

    Args:
        sequences: the file of sequences.
        users: the number of users to keep, evenly spread; None for all.
        folder: the folder for both files.

    Returns:
        The file in our form; RecBole's is ``NAME/NAME.inter`` in ``folder``.
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
    """Run an engine and return its measurements.

    Args:
        command: the command of the engine.
        threads: the number of threads for arithmetic.
        folder: the working directory; RecBole writes files to it.

    Raises:
        ConfigError: the engine failed; the message quotes the end of its standard error.
    """
    environment = {
        **os.environ,
        "OMP_WAIT_POLICY": "passive",  # spinning threads would add processor time on a busy machine
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
    """Run both engines alternately; return medians over the epochs of all rounds."""
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
        "| | labels per epoch | steps | CPU s per epoch | times ours | wall s | times ours |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, row in found.items():
        cells = [f"{row[clock]:.1f} | {row[clock] / ours[clock]:.1f}" for clock in ("cpu_seconds", "wall_seconds")]
        lines.append(f"| {name} | {row['labels']:,} | {row['steps']:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Compare the cost of an epoch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=Path, required=True, help="one user per line, items in order; .gz is allowed")
    parser.add_argument("--users", type=int, help="number of users, evenly spread (default: all)")
    parser.add_argument("--epochs", type=int, default=3, help="epochs per run; the first is a warm-up (3)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each engine, alternately (3)")
    parser.add_argument("--rows", type=int, help="RecBole's rows per step (default: the labels per step here)")
    parser.add_argument("--threads", type=int, default=2, help="threads for arithmetic (2)")
    parser.add_argument(
        "--peer", type=Path, default=PEER, help="Python with RecBole (default: the one that make bench-epochs installs)"
    )
    arguments = parser.parse_args(argv)
    if arguments.epochs < 2:
        parser.error("--epochs must be 2 or more: the first is a warm-up")
    if not arguments.peer.exists():
        raise ConfigError(f"RecBole's environment is missing; {arguments.peer}; run `make bench-epochs`")
    found = compare(arguments)
    print(table(found), flush=True)
    write_atomically(get_settings().var / "epochs.json", json.dumps(found, indent=1) + "\n")
    return {name: round(row["cpu_seconds"], 1) for name, row in found.items()}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
