"""Trained vectors for the search: items of a simulated catalogue, and the states of its users after their last events.

The network is initialised with an SVD of all events (``ml.models.transformer.initialization``) and trained for a few hundred
steps, so that the vectors have realistic lengths and directions.

``python -m tests.benchmarks.lists.vectors --to var/bench/vectors.safetensors``
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from safetensors.torch import save_file

from ml.data.catalog import Catalog
from ml.data.interactions import IGNORED_EVENTS, Interactions
from ml.models.transformer.initialization import initialise
from ml.models.transformer.network import SequenceConfig, SequenceModel
from ml.models.transformer.sequences import Windows, as_batch, sequence
from schemas.runtime.cli import log, run_command

WIDTH, LENGTH, BATCH, SEED = 64, 64, 16, 7


def simulated(events: int, items: int, folder: Path) -> tuple[Interactions, Catalog]:
    """The interactions of a simulated week.

    Args:
        events: the number of events.
        items: the number of items in the catalogue.
        folder: the folder of the simulated landing zone.
    """
    command = [sys.executable, "-m", "jobs.simulate", "--events", str(events), "--items", str(items), "--format", "parquet"]
    subprocess.run([*command, "--truth", "none", "--landing", str(folder)], check=True, stdout=subprocess.DEVNULL)
    rows = pl.scan_parquet(folder / "**" / "*.parquet").select("user_id", "item_id", "event_time", "event_type")
    rows = rows.filter(pl.col("item_id").is_not_null() & ~pl.col("event_type").cast(pl.String).is_in(IGNORED_EVENTS))
    frame = rows.with_columns(pl.col("user_id", "item_id").cast(pl.String)).sort("user_id", "event_time").collect()
    users, user_index = np.unique(frame["user_id"].to_numpy().astype(str), return_inverse=True)
    ids, item_index = np.unique(frame["item_id"].to_numpy().astype(str), return_inverse=True)
    chosen = Interactions(
        n_users=len(users),
        n_items=len(ids),
        user_index=user_index.astype(np.int32),
        item_index=item_index.astype(np.int32),
        time=frame["event_time"].dt.epoch("us").to_numpy(),
        arrived=np.zeros(len(frame), dtype=np.int64),
    )
    names = [str(item) for item in ids]
    return chosen, Catalog(names, [""] * len(names), [[] for _ in names], [""] * len(names))


def train(events: Interactions, catalog: Catalog, steps: int) -> SequenceModel:
    """A network that is initialised from all events and trained on some windows of them.

    Args:
        events: the interactions.
        catalog: the items.
        steps: the number of optimiser steps.
    """
    torch.manual_seed(SEED)
    config = SequenceConfig(n_items=len(catalog), text_width=1, width=WIDTH, max_length=LENGTH, identity_dropout=0.0)
    network = SequenceModel(config)
    initialise(network, events, catalog)
    windows = Windows(events, LENGTH, len(catalog), 0.1, SEED)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    order = torch.randperm(len(windows)).numpy()
    network.train()
    for step in range(steps):
        rows = np.arange(step * BATCH, (step + 1) * BATCH) % len(windows)
        loss = network(**windows.__getitems__(order[rows].tolist())).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if step % 20 == 0 or step + 1 == steps:
            log.info("trained", step=step, of=steps, loss=round(loss.item(), 3))
    return network.eval()


@torch.no_grad()
def states(network: SequenceModel, events: Interactions, users: int) -> torch.Tensor:
    """The states of users after their last events: ``[users, D]``.

    Args:
        network: the trained network.
        events: the interactions.
        users: the number of users, from the first.
    """
    found, items_ID, n_items = [], network.item_vectors(), network.config.n_items
    histories, times = events.histories()[:users], events.times()
    rows = [sequence(h, times[i] if times else None, LENGTH, n_items) for i, h in enumerate(histories)]
    for first in range(0, len(rows), 256):
        batch = as_batch(rows[first : first + 256], n_items)
        last = (batch["item_ids"] != n_items).sum(dim=1) - 1
        found.append(network.hidden(**batch, items_ID=items_ID)[torch.arange(len(last)), last])
    return torch.cat(found)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Train and save the vectors."""
    parser = argparse.ArgumentParser(description="Train vectors of items and users on simulated behaviour.")
    parser.add_argument("--to", type=Path, required=True, help="file (safetensors): users, items, bias")
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument(
        "--items",
        type=int,
        default=100_000,
        help="items to keep; the simulated catalogue has 8 items for each 5, as some never occur",
    )
    parser.add_argument("--users", type=int, default=16_384, help="users whose states are saved")
    parser.add_argument("--steps", type=int, default=200)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        events, catalog = simulated(args.events, args.items * 8 // 5, Path(folder))
    log.info("simulated", events=len(events), users=events.n_users, items=len(catalog))
    network = train(events, catalog, args.steps)
    args.to.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        items, bias = network.item_vectors()[: args.items], network.bias.data[: args.items]
        vectors = {"users": states(network, events, args.users), "items": items, "bias": bias}
    save_file({name: value.contiguous() for name, value in vectors.items()}, args.to)
    return {name: list(value.shape) for name, value in vectors.items()}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
