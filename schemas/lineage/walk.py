"""Lineage: from rows of any table back to the commits, models, sessions, events and landing lines that they came from.

Each commit records its run, its code version, the snapshot of each input table and the filter on each input. The newest commit
of a partition made its rows. So the lake alone is enough to trace lineage. A row leads to the input rows with the same values
in the shared key columns: a recommendation to all events of its user, a session event to its single event.

``python -m schemas.lineage recommendations --partition 1998-04-23 --user U`` prints a tree; ``--json`` prints all details.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl
from pyiceberg.expressions.parser import parse

from schemas.contract import load_contract
from schemas.lake.commits import Commit
from schemas.lake.filters import both, equals, one_of
from schemas.lake.lake import Lake
from schemas.lake.snapshots import snapshot_of
from schemas.runtime.errors import ClickwrightError, ConfigError

WHO = ("user_id", "session_id")
"""Key columns for matching rows, in addition to primary keys."""
MOST_VALUES = 1000
"""Most values of a key in a filter; with more values, rows are matched after reading."""


@dataclass(frozen=True)
class Node:
    """A node of a lineage tree; ``made_from`` holds its sources.

    ``kind`` is ``rows`` (of a table at a snapshot), ``commit`` (made some of the rows), ``session``, ``model``, or ``file`` (a
    landing file; always a leaf).
    """

    kind: str
    name: str
    facts: dict[str, Any]
    made_from: list["Node"] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The tree as nested dictionaries, for JSON.

        >>> Node("file", "part-000.jsonl", {"lines": [3]}).as_dict()
        {'kind': 'file', 'name': 'part-000.jsonl', 'lines': [3], 'made_from': []}
        """
        return {"kind": self.kind, "name": self.name, **self.facts, "made_from": [node.as_dict() for node in self.made_from]}

    def of_kind(self, kind: str) -> Iterator["Node"]:
        """All nodes of a kind in the tree, parents first."""
        if self.kind == kind:
            yield self
        for node in self.made_from:
            yield from node.of_kind(kind)


class Walk:
    """One walk through a lake. It caches the commits of each table."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._commits: dict[tuple[str, int | None], dict[str, Commit]] = {}

    def rows(self, table: str, snapshot: int | None, where: Any, alike: pl.DataFrame | None = None) -> pl.DataFrame:
        """Read the rows of a table that match a filter and share their keys with rows of another table.

        Args:
            table: the table.
            snapshot: snapshot id; the current snapshot is read if it is None or has expired.
            where: filter, as text or expression, or None.
            alike: rows of another table; only rows with the same keys are returned.
        """
        contract = load_contract(table)
        columns = [name for name in contract.columns if contract.personal[name] != "personal"]
        expression = parse(where) if isinstance(where, str) else where
        keys = [] if alike is None else _shared_keys(table, alike, where)
        for key in keys:
            values = alike[key].drop_nulls().unique().sort().to_list() if alike is not None else []
            if len(values) <= MOST_VALUES:
                narrower = one_of(key, values)
                expression = narrower if expression is None else both(expression, narrower)
        found = pl.DataFrame(self.lake.arrow(table, expression, self._kept(table, snapshot), columns))
        if keys and alike is not None:
            found = found.join(alike.select(keys).unique(), on=keys, how="semi")
        return found.sort(sorted(set(contract.primary_key)))

    def _kept(self, table: str, snapshot: int | None) -> int | None:
        """The snapshot, or None if it has expired."""
        return snapshot if snapshot and self.lake.table(table).snapshot_by_id(snapshot) else None

    def explain(self, table: str, snapshot: int | None, rows: pl.DataFrame, **facts: Any) -> Node:
        """Make a node for rows, with their sources.

        Args:
            table: the table of the rows.
            snapshot: snapshot id of the rows.
            rows: the rows.
            facts: more facts for the node.
        """
        facts = {"snapshot": snapshot, "count": len(rows), **facts}
        if snapshot and self._kept(table, snapshot) is None:
            facts["expired"] = True  # the rows come from the current snapshot instead
        return Node("rows", table, facts, list(self._made_by(table, snapshot, rows)))

    def commits(self, table: str, snapshot: int | None) -> dict[str, Commit]:
        """The commit that made each partition, by partition value.

        Args:
            table: the table.
            snapshot: snapshot id; the current snapshot is used if its commits are unknown.
        """
        if (table, snapshot) not in self._commits:
            then = self.lake.current_commits(table, snapshot)
            self._commits[table, snapshot] = then or self.lake.current_commits(
                table
            )  # the history of an expired snapshot was not saved
        return self._commits[table, snapshot]

    def _made_by(self, table: str, snapshot: int | None, rows: pl.DataFrame) -> Iterator[Node]:
        """A node for each commit that made some of the rows, in the order of their partitions."""
        made = self.commits(table, snapshot)
        by = partition_field(table, made)
        groups: dict[int, tuple[Commit, list[str]]] = {}
        values = rows[by].unique().sort().cast(pl.String).to_list()
        for value in values:
            if (commit := made.get(value)) is not None:
                groups.setdefault(commit.snapshot_id, (commit, []))[1].append(value)
        for commit, own in groups.values():
            part = rows.filter(pl.col(by).cast(pl.String).is_in(own))
            facts = {**_facts_of(commit), "partitions": {by: own}, "count": len(part)}
            yield Node("commit", f"{commit.job} {commit.run}", facts, list(self._sources(table, commit, part)))
        if lost := [value for value in values if value not in made]:
            yield Node("commit", "not known any more", {"partitions": {by: lost}})

    def _sources(self, table: str, commit: Commit, rows: pl.DataFrame) -> Iterator[Node]:
        """The sources from which a commit made some rows."""
        if "line_number" in rows.columns:
            yield from self._files(table, commit, rows)
        if model := commit.notes.get("model"):
            yield self._model(model, rows)
        if other := load_contract(table).traced_through:
            yield self._beside(other, commit, rows)
            return
        reads = commit.notes.get("reads", {})
        for name, snapshot in commit.inputs.items():
            found = self.rows(name, snapshot, reads.get(name), rows)
            if "session_id" not in rows.columns:
                yield self.explain(name, snapshot, found)
                continue
            for session, own in rows.partition_by("session_id", as_dict=True, maintain_order=True).items():
                keys = _shared_keys(name, own, reads.get(name))
                theirs = found.join(own.select(keys).unique(), on=keys, how="semi")
                facts = {"closed_on": str(own["closed_on"][0]), "count": len(own)}
                yield Node("session", str(session[0]), facts, [self.explain(name, snapshot, theirs)])

    def _beside(self, table: str, commit: Commit, rows: pl.DataFrame) -> Node:
        """A node for the matching rows of another table that the same run made."""
        snapshot = self._of_same_run(table, commit)
        by = load_contract(table).partition_by[-1]
        where = one_of(by, rows[by].unique().sort().to_list())
        return self.explain(table, snapshot, self.rows(table, snapshot, where, rows))

    def _of_same_run(self, table: str, commit: Commit) -> int | None:
        """The snapshot of a table that was published by a commit's run, or None if unknown."""
        runs = (c.snapshot_id for c in self.lake.commits(table) if (c.job, c.run) == (commit.job, commit.run))
        return next(runs, None)

    def _model(self, model: dict[str, Any], rows: pl.DataFrame) -> Node:
        """A node for a model version, with its training rows of these users and items."""
        facts = {key: value for key, value in model.items() if key not in ("name", "version", "reads")}
        reads, sources = model.get("reads", {}), []
        for table, snapshot in model.get("snapshots", {}).items():
            sources.append(self.explain(table, snapshot, self.rows(table, snapshot, reads.get(table), rows)))
        return Node("model", f"{model['name']} version {model['version']}", facts, sources)

    def _files(self, table: str, commit: Commit, rows: pl.DataFrame) -> Iterator[Node]:
        """A node for each landing file of the rows, with the line numbers."""
        placed = rows.drop_nulls("source_file").group_by("source_file", maintain_order=True).agg("line_number")
        landing = load_contract(table).landing_files
        known = self._landed(landing, commit, rows) if landing else {}
        for name, lines in placed.sort("source_file").iter_rows():
            yield Node("file", name, {**known.get(name, {}), "lines": sorted(lines)})
        if unknown := len(rows) - sum(placed["line_number"].list.len()):
            yield Node("file", "not recorded", {"rows": unknown})

    def _landed(self, table: str, commit: Commit, rows: pl.DataFrame) -> dict[str, dict[str, Any]]:
        """Size and digest of landing files, as recorded by a commit's run."""
        snapshot = self._of_same_run(table, commit)
        if snapshot is None:
            return {}
        found = self.rows(table, snapshot, one_of("arrived_on", rows["arrived_on"].unique().to_list()), rows)
        return {row["source_file"]: {"bytes": row["bytes"], "sha256": row["sha256"]} for row in found.iter_rows(named=True)}


def _shared_keys(table: str, rows: pl.DataFrame, where: Any) -> list[str]:
    """The table's key columns that the rows also have, without columns that the filter already restricts."""
    contract = load_contract(table)
    keys = [name for name in dict.fromkeys([*contract.primary_key, *WHO]) if name in contract.columns]
    return [name for name in keys if name in rows.columns and name not in str(where or "")]


def _facts_of(commit: Commit) -> dict[str, Any]:
    return {
        "job": commit.job,
        "run": commit.run,
        "code_version": commit.code_version,
        "snapshot": commit.snapshot_id,
        "committed_at": datetime.fromtimestamp(commit.committed_ms / 1000, UTC).isoformat(timespec="seconds"),
        "inputs": commit.inputs,
    }


def partition_field(table: str, made: dict[str, Commit]) -> str:
    """The field by whose values a table's partitions are replaced.

    Args:
        table: the table.
        made: the commits that made its partitions.
    """
    fields = {name for commit in made.values() for name in commit.replaced}
    return next(iter(fields)) if len(fields) == 1 else load_contract(table).partition_by[-1]


def lineage(lake: Lake, table: str, partition: str, user: str | None = None, as_of: str | None = None) -> Node:
    """Trace the rows of a partition, or of one user in it, back to the landing files.

    Args:
        lake: the lake.
        table: any table.
        partition: value of the field by which partitions are replaced, such as a date.
        user: a pseudonym; default: the rows of all users.
        as_of: a snapshot id or a tag of the table; default: the current snapshot.

    Returns:
        The root of the lineage tree.

    Raises:
        ConfigError: the table has no user column, or no such snapshot or tag.
        ClickwrightError: there are no such rows.
    """
    lake.table(table)
    snapshot = lake.snapshot(table) if as_of is None else snapshot_of(lake, table, as_of)
    walk = Walk(lake)
    made = walk.commits(table, snapshot)
    by = partition_field(table, made)
    if user is not None and "user_id" not in load_contract(table).columns:
        raise ConfigError(f"table {table} has no user_id; in its contract; leave --user out")
    day = equals(by, partition)
    rows = walk.rows(table, snapshot, day if user is None else both(day, equals("user_id", user)))
    if rows.is_empty():
        of_user = "" if user is None else " of this user"
        span = f"{min(made)} to {max(made)}" if made else "nothing"
        raise ClickwrightError(
            f"there are no rows{of_user} with {by} {partition}; in table {table}; it holds {span}: choose another partition"
            f"{'' if user is None else ' or user'}"
        )
    return walk.explain(table, snapshot, rows, shown=_shown(table, rows))


def _shown(table: str, rows: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows, without personal columns and pseudonyms."""
    personal = load_contract(table).personal
    return rows.select(name for name in rows.columns if personal[name] == "none").to_dicts()
