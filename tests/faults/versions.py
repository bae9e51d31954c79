"""What a reader may see of a table: each partition in one of the versions that an undisturbed run published, whole."""

import hashlib
import json
from collections import defaultdict

from schemas.contract import table_names
from schemas.lake.lake import Lake

Partitions = dict[str, dict[str, str]]
"""Table -> value of the replaced partition field -> digest of its rows."""


def partitions(lake: Lake, snapshots: dict[str, int] | None = None) -> Partitions:
    """The rows of every table as they are now, or of some tables as of a snapshot, by what is replaced as a whole."""
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
    """All versions that may be seen, by table and partition."""

    def __init__(self, known: dict[str, dict[str, list[str]]] | None = None) -> None:
        self.known = known or {}

    def add(self, seen: Partitions) -> None:
        for name, values in seen.items():
            for value, digest in values.items():
                versions = self.known.setdefault(name, {}).setdefault(value, [])
                if digest not in versions:
                    versions.append(digest)

    def strange(self, seen: Partitions) -> list[str]:
        """The partitions that are in none of their versions."""
        return [
            f"{name} {value}"
            for name, values in seen.items()
            for value, digest in values.items()
            if digest not in self.known.get(name, {}).get(value, [])
        ]
