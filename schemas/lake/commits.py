"""Commits of a table, read from its snapshots: the job, the partitions written and the inputs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

PROPERTY = "clickwright."


@dataclass(frozen=True)
class Commit:
    """The provenance of a snapshot, read from its summary."""

    snapshot_id: int
    sequence_number: int
    committed_ms: int
    run: str
    job: str
    code_version: str
    inputs: dict[str, int]
    replaced: dict[str, list[str]]
    notes: dict[str, Any]
    audit: dict[str, Any]
    manifest: str
    """Digest of the published manifest."""

    @property
    def is_publication(self) -> bool:
        """Whether it published rows. Commits of maintenance and erasure replace files of partitions, not partitions."""
        return bool(self.replaced)


def _key(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def commit_summary(properties: dict[str, Any], inputs: dict[str, int], replaced: dict[str, list[str]]) -> dict[str, str]:
    """The properties that a commit stores in its Iceberg snapshot.

    Args:
        properties: facts about the commit, such as its run and job.
        inputs: snapshot id of each input table.
        replaced: replaced partition values, by partition field.

    >>> commit_summary({"run": "r"}, {"events": 7}, {})
    {'clickwright.run': 'r', 'clickwright.inputs': '{"events": 7}', 'clickwright.replaced': '{}'}
    """
    values = {**properties, "inputs": json.dumps(inputs), "replaced": json.dumps(replaced)}
    return {f"{PROPERTY}{name}": str(value) for name, value in values.items()}


def _commits(table: Table, known: dict[int, Snapshot], last: int | None) -> Iterator[Commit]:
    """Walk back from a snapshot, default the current one. A publish makes two (delete, add); the later one is reported."""
    known = {s.snapshot_id: s for s in table.metadata.snapshots} | known  # only these still link to an expired parent
    current = table.metadata.current_snapshot_id if last is None else last
    snapshot, seen = None if current is None else known.get(current), ""
    while snapshot is not None:
        commit = _commit(snapshot)
        if commit is not None and (manifest := _property(snapshot, "manifest")) != seen:
            seen = manifest
            yield commit
        parent = snapshot.parent_snapshot_id
        snapshot = None if parent is None else known.get(parent)


def _property(snapshot: Snapshot, name: str) -> str:
    return str((snapshot.summary.additional_properties if snapshot.summary else {}).get(f"{PROPERTY}{name}", ""))


def _commit(snapshot: Snapshot) -> Commit | None:
    if not _property(snapshot, "run"):
        return None
    return Commit(
        snapshot.snapshot_id,
        snapshot.sequence_number or 0,
        snapshot.timestamp_ms,
        _property(snapshot, "run"),
        _property(snapshot, "job"),
        _property(snapshot, "code-version"),
        json.loads(_property(snapshot, "inputs") or "{}"),
        json.loads(_property(snapshot, "replaced") or "{}"),
        json.loads(_property(snapshot, "notes") or "{}"),
        json.loads(_property(snapshot, "audit") or "{}"),
        _property(snapshot, "manifest"),
    )
