"""Find event ids that several users share: each bucket writes digests of its ids, and the driver compares the buckets.

A user is in one bucket, so an id that occurs in two buckets is used by several users.
"""

import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

IDS = "ids"
AT_A_TIME = 4 << 20
"""Digests that are compared at a time, so that the driver's memory does not grow with the log."""


def write_ids(events: pl.DataFrame, folder: Path) -> str:
    """Write the digests of a bucket's event ids, 8 bytes each, sorted, to a file that the driver reads and removes.

    Args:
        events: the events of the bucket.
        folder: the attempt's folder of ``events``.

    Returns:
        The path of the file.
    """
    path = folder / IDS / f"{uuid.uuid4().hex}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.sort(id_digests(events).to_numpy()))
    return str(path)


def id_digests(rows: pl.DataFrame) -> pl.Series:
    """One 64-bit digest a row of event id and source: the same id in two sources is not a conflict.

    >>> rows = pl.DataFrame({"event_id": ["e", "e", "e"], "source": ["shop", "shop", "app"]})
    >>> id_digests(rows).n_unique()
    2
    """
    return rows.select(pl.col("event_id").hash(seed=1) ^ pl.col("source").hash(seed=2)).to_series()


def shared_ids(paths: Sequence[str]) -> frozenset[int]:
    """The digests that occur in several buckets, and so belong to several users.

    Args:
        paths: the files of :func:`write_ids`.
    """
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
        together = np.sort(np.concatenate(slices), kind="stable")  # a stable sort of sorted slices is cheap
        shared.update(together[1:][together[1:] == together[:-1]].tolist())
    return frozenset(shared)
