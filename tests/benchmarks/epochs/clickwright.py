"""Measures epochs of the project's transformer: prints one JSON line."""

import argparse
import json
from pathlib import Path

from ml.benchmark.datasets import read_sequences
from ml.data.splits import leave_one_out
from ml.models import build
from tests.benchmarks.epochs.clock import Clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=Path, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True, help="users per step")
    arguments = parser.parse_args()
    split = leave_one_out(*read_sequences(arguments.sequences))
    clock = Clock()

    def stamp(values: dict[str, float], epoch: int) -> None:
        if "loss" in values:
            clock.epoch()

    model = build(
        "transformer_short", width=64, dropout=0.3, start_length=1.0, max_epochs=arguments.epochs, batch_size=arguments.batch
    )
    model.fit(split.fit, split.catalog, seed=7, log=stamp)
    print(json.dumps(clock.told(len(split.fit), -(-split.fit.n_users // arguments.batch))))


if __name__ == "__main__":
    main()
