"""The commit of upkeep and erasure: some data files of a table give way to others, all at once, whatever else is published.

Such a commit makes no rows. It names the commits that the rows of its partitions come from, and lineage goes on through it.
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
from schemas.lake.catalog import until_committed
from schemas.lake.commits import commit_summary
from schemas.lake.lake import Lake
from schemas.lake.storage import location
from schemas.runtime.version import code_version


@dataclass(frozen=True)
class Swap:
    """Data files that go, as the table names them, and the files that come in their place; without those the rows go."""

    old: tuple[str, ...]
    new: tuple[str, ...] = ()


def live_files(table: Table) -> dict[str, DataFile]:
    """The data files of the current snapshot, as the table names them."""
    return {task.file.file_path: task.file for task in table.scan().plan_files()}


def partition_values(name: str, table: Table, files: Sequence[DataFile]) -> list[dict[str, str]]:
    """For each file the values of its partition fields, as text."""
    schema = load_contract(name).arrow_schema
    fields = [(i, part.name, schema.field(part.name).type) for i, part in enumerate(table.spec().fields)]
    return [{field: _as_text(file.partition[i], str(kind)) for i, field, kind in fields} for file in files]


def _as_text(value: Any, kind: str) -> str:
    import pyarrow as pa

    return str(pa.scalar(value, pa.int32()).cast(pa.date32()).as_py()) if kind.startswith("date32") else str(value)


def swap_files(
    lake: Lake, name: str, swaps: Sequence[Swap], job: str, run: str, notes: dict[str, Any], *, forget: bool = False
) -> list[Swap]:
    """Make swaps in one atomic commit.

    A swap one of whose old files another commit has taken away meanwhile is left out; its new files are then no one's, and go
    with the next removal of orphans.

    Args:
        lake: the lake.
        name: the table.
        swaps: what to change.
        job: what the commit shall say made it.
        run: the run that it shall name.
        notes: figures for the commit.
        forget: also leave the names and the bounds of the old files out of the new snapshot's manifests; and commit even when
            nothing is to be swapped, so that every other writer that began before has to look again.

    Returns:
        The swaps that were made.

    Raises:
        ClickwrightError: other writers won every time.
    """

    def attempt() -> list[Swap]:
        table = lake.table(name)
        live = live_files(table)
        made = [swap for swap in swaps if all(old in live for old in swap.old)]
        if not made and not forget:
            return []
        summary = _summary(lake, name, table, [live[old] for swap in made for old in swap.old], made, job, run, notes)
        with table.transaction() as transaction:
            if made:
                with transaction.update_snapshot(snapshot_properties=summary).overwrite() as overwrite:
                    for swap in made:
                        for old in swap.old:
                            overwrite.delete_data_file(live[old])
                        for new in swap.new:
                            overwrite.append_data_file(
                                parquet_file_to_data_file(table.io, transaction.table_metadata, location(new))
                            )
            if forget:  # an append carries over no manifest of deleted files
                with transaction.update_snapshot(snapshot_properties=summary).fast_append():
                    pass
        return made

    return until_committed(attempt, f"table {name}", "run this again")


def _summary(
    lake: Lake, name: str, table: Table, files: list[DataFile], made: list[Swap], job: str, run: str, notes: dict[str, Any]
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
