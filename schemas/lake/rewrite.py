"""The commit of maintenance and erasure: replace data files of a table atomically, concurrently with publishes.

Such a commit adds no new rows. It records the commits that wrote the rows of its partitions, so lineage continues through it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from schemas.contract import load_contract
from schemas.lake.catalog import commit_with_retry
from schemas.lake.commits import commit_summary
from schemas.lake.lake import Lake
from schemas.lake.storage import location
from schemas.runtime.version import code_version


@dataclass(frozen=True)
class FileRewrite:
    """Data files to remove, by the table's names for them, and their replacements. Without replacements, the rows go."""

    old: tuple[str, ...]
    new: tuple[str, ...] = ()


def live_files(table: Table) -> dict[str, DataFile]:
    """The data files of the current snapshot, by the table's names for them."""
    return {task.file.file_path: task.file for task in table.scan().plan_files()}


def partition_values(name: str, table: Table, files: Sequence[DataFile]) -> list[dict[str, str]]:
    """For each data file, the values of its partition fields as text.

    Args:
        name: the table.
        table: the same, as an Iceberg table.
        files: data files of the table.
    """
    schema = load_contract(name).arrow_schema
    fields = [(i, part.name, schema.field(part.name).type) for i, part in enumerate(table.spec().fields)]
    return [{field: _as_text(file.partition[i], str(kind)) for i, field, kind in fields} for file in files]


def _as_text(value: Any, kind: str) -> str:
    import pyarrow as pa

    return str(pa.scalar(value, pa.int32()).cast(pa.date32()).as_py()) if kind.startswith("date32") else str(value)


def rewrite_data_files(
    lake: Lake, name: str, rewrites: Sequence[FileRewrite], job: str, run: str, notes: dict[str, Any], *, forget: bool = False
) -> list[FileRewrite]:
    """Replace data files in one atomic commit.

    A rewrite is skipped if another commit has already removed one of its old files. Its new files then belong to no table,
    and the next removal of orphans deletes them.

    Args:
        lake: the lake.
        name: the table.
        rewrites: the replacements.
        job: the job to record with the commit.
        run: the run to record with the commit.
        notes: figures to store with the commit.
        forget: also drop the names and column bounds of the old files from the new snapshot's manifests; and commit even
            without rewrites, so that all concurrent writers have to retry.

    Returns:
        The rewrites that were committed.

    Raises:
        ClickwrightError: other writers won every time.
    """

    def attempt() -> list[FileRewrite]:
        table = lake.table(name)
        live = live_files(table)
        made = [rewrite for rewrite in rewrites if all(old in live for old in rewrite.old)]
        if not made and not forget:
            return []
        summary = _summary(lake, name, table, [live[old] for rewrite in made for old in rewrite.old], made, job, run, notes)
        with table.transaction() as transaction:
            if made:
                with transaction.update_snapshot(snapshot_properties=summary).overwrite() as overwrite:
                    for rewrite in made:
                        for old in rewrite.old:
                            overwrite.delete_data_file(live[old])
                        for new in rewrite.new:
                            overwrite.append_data_file(
                                parquet_file_to_data_file(table.io, transaction.table_metadata, location(new))
                            )
            if forget:  # an append does not carry over manifests of deleted files
                with transaction.update_snapshot(snapshot_properties=summary).fast_append():
                    pass
        return made

    return commit_with_retry(attempt, f"table {name}", "run this again")


def _summary(
    lake: Lake,
    name: str,
    table: Table,
    files: list[DataFile],
    made: list[FileRewrite],
    job: str,
    run: str,
    notes: dict[str, Any],
) -> dict[str, str]:
    snapshot = table.current_snapshot()
    origins = lake.current_commits(name)
    touched = {value for values in partition_values(name, table, files) for value in values.values()}
    properties = {
        "run": run,
        "job": job,
        "code-version": code_version(),
        "manifest": hashlib.sha256(repr([made, notes, run]).encode()).hexdigest(),
        "notes": json.dumps(notes),
        "origin": json.dumps({v: [c.run, c.snapshot_id] for v, c in origins.items() if v in touched}),
    }
    return commit_summary(properties, {} if snapshot is None else {name: snapshot.snapshot_id}, {})
