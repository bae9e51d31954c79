"""The files that the snapshots of a table refer to."""

from collections.abc import Collection
from dataclasses import dataclass, field

from pyiceberg.table import Table

from schemas.lake.storage import plain


@dataclass
class ReferencedFiles:
    """Names of the files that snapshots refer to."""

    data: set[str] = field(default_factory=set)
    metadata: set[str] = field(default_factory=set)
    """Manifests, manifest lists and table metadata files."""


def referenced_files(table: Table, snapshots: Collection[int] | None = None) -> ReferencedFiles:
    """The files that snapshots of a table refer to. Each manifest is read once, even if snapshots share it.

    Args:
        table: the Iceberg table.
        snapshots: ids of the snapshots; default: all, and the table's own metadata files.
    """
    found = ReferencedFiles()
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
    """The folder of a table's metadata files."""
    return f"{plain(table.location())}/metadata"
