"""Trains a small network on a log larger than the memory that this process may use; run by test_training.

Prints the log's size in bytes, the bytes of memory allowed on top of Python and its libraries, and the share of users for
whom the network predicts the next item.
"""

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml.data.catalog import Catalog
from ml.data.event_log import SCHEMA, cut, everything, gather
from ml.data.interactions import Interactions
from ml.models.transformer.recommender import Transformer

USERS, EVENTS, ITEMS, AT_ONCE = 100_000, 60, 24, 200
ALLOWED = 80_000_000


def walks() -> Iterator[pa.RecordBatch]:
    """Every user steps from an item to the next one, in a cycle."""
    rng = np.random.default_rng(0)
    names = np.array([f"i{i:02d}" for i in range(ITEMS)])
    for first in range(0, USERS, AT_ONCE):
        user = np.repeat([f"{rng.integers(2**63):016x}{u:048x}" for u in range(first, first + AT_ONCE)], EVENTS)
        step = np.tile(np.arange(EVENTS), AT_ONCE)
        item = names[(np.repeat(rng.integers(ITEMS, size=AT_ONCE), EVENTS) + step) % ITEMS]
        day = pa.array(np.zeros(len(step), dtype=np.int32)).cast(pa.date32())
        columns = [pa.array(user), pa.array(step * 60_000_000), pa.array(step.astype(str)), pa.array(item), day]
        yield pa.record_batch(columns, schema=SCHEMA)


def taken() -> int:
    """The bytes of this process's data segment, without memory-mapped files."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmData")).split()[1])


def main() -> None:
    settings = {
        "width": 8,
        "layers": 1,
        "heads": 1,
        "max_length": 32,
        "batch_size": 256,
        "max_epochs": 1,
        "learning_rate": 1e-2,
    }
    few = gather(pa.Table.from_batches([next(walks())]).slice(0, 3200).to_batches())
    names = sorted(few.item_ids)
    catalog = Catalog(names, [""] * ITEMS, [[] for _ in names], [""] * ITEMS)
    Transformer(**settings).fit(cut(few, everything, catalog), catalog, seed=0)  # lazy imports happen now
    allowed = taken() + ALLOWED
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))

    train = cut(gather(walks()), everything, catalog)
    held = sum(getattr(train, name).nbytes for name in Interactions.COLUMNS)
    model = Transformer(**settings).fit(train, catalog, seed=0)
    asked = [np.array([i, (i + 1) % ITEMS]) for i in range(ITEMS)]
    found = model.scores(asked).argmax(axis=1)
    try:
        np.empty(held, dtype=np.uint8)[:] = 1
    except MemoryError:
        print(held, ALLOWED, float((found == (np.arange(ITEMS) + 2) % ITEMS).mean()))
    else:
        raise SystemExit("the log fits into memory, so the test proves nothing")


if __name__ == "__main__":
    main()
