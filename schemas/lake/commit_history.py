"""What was committed, beyond the life of its snapshots.

Iceberg keeps in a snapshot what it was made from, and forgets both when it expires. :func:`remember`, called before that,
writes down what the snapshot says of itself, without the rows: so lineage, and the rule that the newest inputs win, go on
knowing it.
"""

import json
from functools import lru_cache
from pathlib import Path

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from schemas.runtime.local_files import write_atomically


def remember(folder: Path, table: Table) -> int:
    """Write down what the snapshots of a table say of themselves; call it before some expire. Twice changes nothing.

    All of them, for one that stays loses the name of its parent when that expires.

    Args:
        folder: of a table's history, as ``Lake.history_folder`` names it.
        table: the table as it is now.

    Returns:
        How many were written down now.
    """
    known = remembered(folder)
    fresh = [snapshot for snapshot in table.metadata.snapshots if snapshot.snapshot_id not in known]
    if fresh:
        text = "".join(f"{s.model_dump_json(by_alias=True, exclude_none=True)}\n" for s in fresh)
        write_atomically(folder / f"{fresh[-1].sequence_number:08d}-{fresh[-1].snapshot_id}.jsonl", text)
    return len(fresh)


def remembered(folder: Path) -> dict[int, Snapshot]:
    """The snapshots that were written down, by their id."""
    return {s.snapshot_id: s for path in sorted(folder.glob("[!.]*.jsonl")) for s in _read(path)}


@lru_cache(maxsize=4096)
def _read(path: Path) -> tuple[Snapshot, ...]:
    """A file of the history; none is ever changed."""
    return tuple(Snapshot.model_validate(json.loads(line)) for line in path.read_text().splitlines())
