"""Event ids over all users: each bucket leaves digests of its ids, and an id that two buckets have is one of several users."""

import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

IDS = "ids"
AT_A_TIME = 4 << 20
"""Digests that are compared at a time: what the driver holds in memory does not grow with the log."""


def write_ids(events: pl.DataFrame, folder: Path) -> str:
    """Digests of the event ids of a bucket, eight bytes each, sorted, in a file that the driver reads and removes."""
    path = folder / IDS / f"{uuid.uuid4().hex}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.sort(id_digests(events).to_numpy()))
    return str(path)


def id_digests(rows: pl.DataFrame) -> pl.Series:
    return rows.select(pl.col("event_id").hash(seed=1) ^ pl.col("source").hash(seed=2)).to_series()


def shared_ids(paths: Sequence[str]) -> frozenset[int]:
    """Digests that stand in several buckets, that is for several users."""
    if len(paths) < 2:
        return frozenset()
    total = sum(len(np.load(path, mmap_mode="r")) for path in paths)
    parts = 1 + total // AT_A_TIME
    ends = [(part << 64) // parts for part in range(1, parts)]
    done, shared = [0] * len(paths), set[int]()
    for end in [*ends, None]:
        slices = []
        for number, path in enumerate(paths):
            digests = np.load(path, mmap_mode="r")
            until = len(digests) if end is None else int(np.searchsorted(digests, np.uint64(end)))
            slices.append(np.array(digests[done[number] : until]))
            done[number] = until
        together = np.sort(np.concatenate(slices), kind="stable")  # of sorted slices, which costs little
        shared.update(together[1:][together[1:] == together[:-1]].tolist())
    return frozenset(shared)
