"""Compare the search for the top 100 of 100,000 items with plain PyTorch, implicit and faiss on the same trained vectors.

Each engine runs in a separate process on two threads, in several rounds; the table shows medians. The overlap is the share of
the exact list's items that the engine's list contains.

``python -m tests.benchmarks.lists --peers .venv-bench-lists/bin/python`` (`make bench-lists`)
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

import numpy as np

from schemas.runtime.cli import log, run_command
from schemas.runtime.settings import ROOT, get_settings
from tests.benchmarks.lists.engines import ENGINES, PARQUET, K

SCRIPT = Path(__file__).with_name("engines.py")
OURS = ("plain", "clickwright", PARQUET)


def run(engine: str, python: str, vectors: Path, out: Path) -> dict[str, float]:
    """Run an engine once and return its cost.

    Args:
        engine: the name of the engine.
        python: the interpreter.
        vectors: the file of vectors.
        out: the file for its lists.
    """
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [python, str(SCRIPT), engine, str(vectors), str(out)]
    answer = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    cost: dict[str, float] = json.loads(answer.splitlines()[-1])
    return cost


def overlap(exact: np.ndarray, found: np.ndarray) -> float:
    shared = [len(np.intersect1d(ours, theirs)) for ours, theirs in zip(exact, found, strict=True)]
    return float(np.mean(shared)) / K


def table(costs: dict[str, list[dict[str, float]]], overlaps: dict[str, float]) -> str:
    """A table of medians, and their ratios to those of plain PyTorch.

    Args:
        costs: the costs of all rounds, by engine.
        overlaps: the overlap with the exact lists, by engine.
    """
    middle = {n: {key: median(cost[key] for cost in rows) for key in rows[0]} for n, rows in costs.items()}
    lines = [
        "| engine | users per second | times plain | processor ms per user | times plain | overlap |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, cost in middle.items():
        wall, cpu = (middle["plain"][key] / cost[key] for key in ("wall_seconds", "cpu_seconds"))
        rate, each = cost["users"] / cost["wall_seconds"], 1000 * cost["cpu_seconds"] / cost["users"]
        lines.append(f"| {name} | {rate:,.0f} | {wall:.2f} | {each:.3f} | {cpu:.2f} | {overlaps[name]:.4f} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Compare the engines and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=sys.executable, help="interpreter with implicit and faiss")
    parser.add_argument("--vectors", type=Path, help="file of tests.benchmarks.lists.vectors (default: made in <var>/bench)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engines", nargs="*", default=[*OURS, *(name for name in ENGINES if name not in OURS)])
    args = parser.parse_args(argv)
    vectors = args.vectors or get_settings().var / "bench" / "vectors.safetensors"
    if not vectors.exists():
        command = [sys.executable, "-m", "tests.benchmarks.lists.vectors", "--to", str(vectors)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    costs: dict[str, list[dict[str, float]]] = {name: [] for name in args.engines}
    overlaps: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(args.rounds):
            for name in args.engines:
                out = Path(folder) / f"{name}.npy"
                costs[name].append(run(name, sys.executable if name in OURS else args.peers, vectors, out))
                log.info("measured", engine=name, round=number, **{k: round(v, 2) for k, v in costs[name][-1].items()})
        exact = np.load(Path(folder) / "plain.npy")
        overlaps = {name: overlap(exact, np.load(Path(folder) / f"{name}.npy")) for name in args.engines}
    print(table(costs, overlaps), flush=True)
    return {"rounds": args.rounds, "costs": costs, "overlaps": overlaps}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
