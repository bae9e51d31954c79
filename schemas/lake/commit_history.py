"""The history of commits, kept longer than their snapshots.

Iceberg stores the provenance of a commit in its snapshot and deletes both when the snapshot expires. :func:`remember`, called
before that, saves the snapshot's summary without the rows. Lineage and the rule that the newest inputs win still need it.
"""

import json
from functools import lru_cache
from pathlib import Path

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from schemas.runtime.local_files import write_atomically


def remember(folder: Path, table: Table) -> int:
    """Save the summaries of all snapshots of a table; call it before some expire. It is idempotent.

    It also saves snapshots that stay, because Iceberg removes their link to a parent that expires.

    Args:
        folder: the table's history folder, ``Lake.history_folder``.
        table: the current table.

    Returns:
        The number of summaries saved by this call.
    """
    known = remembered(folder)
    fresh = [snapshot for snapshot in table.metadata.snapshots if snapshot.snapshot_id not in known]
    if fresh:
        text = "".join(f"{s.model_dump_json(by_alias=True, exclude_none=True)}\n" for s in fresh)
        write_atomically(folder / f"{fresh[-1].sequence_number:08d}-{fresh[-1].snapshot_id}.jsonl", text)
    return len(fresh)


def remembered(folder: Path) -> dict[int, Snapshot]:
    """The saved snapshots by id."""
    return {s.snapshot_id: s for path in sorted(folder.glob("[!.]*.jsonl")) for s in _read(path)}


@lru_cache(maxsize=4096)
def _read(path: Path) -> tuple[Snapshot, ...]:
    """The snapshots in a history file. Cached, because history files never change."""
    return tuple(Snapshot.model_validate(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines())
