"""The states of a table that a reader may see: each partition in one of its published versions, complete."""

import hashlib
import json
from collections import defaultdict

from schemas.contract import table_names
from schemas.lake.lake import Lake

Partitions = dict[str, dict[str, str]]
"""Digest of the rows, by table and value of the replaced partition field."""


def partitions(lake: Lake, snapshots: dict[str, int] | None = None) -> Partitions:
    """Digests of all current tables, or of given snapshots, by partition."""
    if snapshots is not None:
        return {name: _digests(lake, name, snapshot) for name, snapshot in snapshots.items()}
    return {name: _digests(lake, name) for name in table_names() if lake.exists(name)}


def _digests(lake: Lake, name: str, snapshot: int | None = None) -> dict[str, str]:
    commits = lake.commits(name)
    if not commits:
        return {}
    (field,) = commits[0].replaced
    rows = defaultdict(list)
    for row in lake.arrow(name, snapshot=snapshot).to_pylist():
        rows[str(row[field])].append(json.dumps(row, default=str, sort_keys=True))
    return {value: hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest() for value, lines in rows.items()}


class Versions:
    """All published versions, by table and partition."""

    def __init__(self, known: dict[str, dict[str, list[str]]] | None = None) -> None:
        self.known = known or {}

    def add(self, seen: Partitions) -> None:
        for name, values in seen.items():
            for value, digest in values.items():
                versions = self.known.setdefault(name, {}).setdefault(value, [])
                if digest not in versions:
                    versions.append(digest)

    def strange(self, seen: Partitions) -> list[str]:
        """The partitions that match none of their versions."""
        return [
            f"{name} {value}"
            for name, values in seen.items()
            for value, digest in values.items()
            if digest not in self.known.get(name, {}).get(value, [])
        ]
