"""What the snapshots of a table refer to, and what under its folders none of them does."""

from collections.abc import Collection
from dataclasses import dataclass, field

from pyiceberg.table import Table

from schemas.lake.storage import plain


@dataclass
class Reach:
    """Names of files that snapshots refer to."""

    data: set[str] = field(default_factory=set)
    metadata: set[str] = field(default_factory=set)
    """Manifests, manifest lists, and what the table itself is read from."""


def reach(table: Table, snapshots: Collection[int] | None = None) -> Reach:
    """What all snapshots of a table, or some, refer to. Manifests that they share are read once."""
    found = Reach()
    if snapshots is None:
        logged = [entry.metadata_file for entry in table.metadata.metadata_log]
        found.metadata |= {plain(name) for name in (table.metadata_location, *logged)}
    for snapshot in table.snapshots():
        if snapshots is not None and snapshot.snapshot_id not in snapshots:
            continue
        found.metadata.add(plain(snapshot.manifest_list))
        for manifest in snapshot.manifests(table.io):
            if (name := plain(manifest.manifest_path)) not in found.metadata:
                found.metadata.add(name)
                found.data |= {plain(e.data_file.file_path) for e in manifest.fetch_manifest_entry(table.io)}
    return found


def metadata_folder(table: Table) -> str:
    """Where a table's own files lie."""
    return f"{plain(table.location())}/metadata"
