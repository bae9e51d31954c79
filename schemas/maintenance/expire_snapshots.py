"""Expire old snapshots. Tagged snapshots stay, and the provenance of remaining rows is saved.

A snapshot is readable while it is the newest, and for ``--keep-days`` after another snapshot replaced it.

``python -m schemas.maintenance.expire_snapshots --date 2026-11-20``
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from pyiceberg.table import Table
from pyiceberg.table.update.snapshot import ExpireSnapshots, ManageSnapshots

from schemas.lake.catalog import commit_with_retry
from schemas.lake.commit_history import remember
from schemas.lake.lake import Lake, open_lake
from schemas.maintenance.each_table import each_table
from schemas.maintenance.lock import maintenance_lock
from schemas.maintenance.options import cutoff, parser, with_age
from schemas.runtime.cli import log, run_command


def expirable(table: Table, before: datetime) -> list[int]:
    """The untagged snapshots that were replaced before a given time.

    Args:
        table: the Iceberg table.
        before: the time.
    """
    replaced_ms: dict[int, int] = {}
    for snapshot in table.snapshots():
        if snapshot.parent_snapshot_id is not None:
            last = replaced_ms.get(snapshot.parent_snapshot_id, 0)
            replaced_ms[snapshot.parent_snapshot_id] = max(last, snapshot.timestamp_ms)
    named = {ref.snapshot_id for ref in table.refs().values()}
    limit = before.timestamp() * 1000
    # An untagged snapshot without a successor here is old: the newest has a ref, so the successor has already expired.
    unnamed = [snapshot.snapshot_id for snapshot in table.snapshots() if snapshot.snapshot_id not in named]
    return [snapshot for snapshot in unnamed if replaced_ms.get(snapshot, 0) < limit]


def expire_snapshots(lake: Lake, name: str, snapshots: Collection[int], tags: Collection[str] = ()) -> int:
    """Expire snapshots in one commit; their summaries are saved first.

    Args:
        lake: the lake.
        name: the table.
        snapshots: ids of the snapshots; tagged ones stay.
        tags: tags to remove first.

    Returns:
        The number of snapshots that were expired.
    """

    def attempt() -> int:
        table = lake.table(name)
        gone = [tag for tag in tags if tag in table.refs()]
        named = {ref.snapshot_id for tag, ref in table.refs().items() if tag not in gone}
        ids = {s.snapshot_id for s in table.snapshots()} & set(snapshots) - named
        if not ids and not gone:
            return 0
        remember(lake.history_folder(name), table)  # the provenance of rows that stay
        with table.transaction() as transaction:
            for tag in gone:
                ManageSnapshots(transaction).remove_tag(tag).commit()
            ExpireSnapshots(transaction).by_ids(sorted(ids)).commit()
        return len(ids)

    return commit_with_retry(attempt, f"the expiry of snapshots of {name}", "run this again")


def expire(lake: Lake, name: str, before: datetime, *, dry_run: bool = False) -> dict[str, Any]:
    """Expire the snapshots of a table that were replaced before a given time.

    Args:
        lake: the lake.
        name: the table.
        before: the time.
        dry_run: whether to only count.

    Returns:
        Numbers of expired and remaining snapshots, and the tags.
    """
    table = lake.table(name)
    ids = expirable(table, before)
    expired = len(ids) if dry_run else expire_snapshots(lake, name, ids)
    tags = sorted(tag for tag in table.refs() if tag != "main")
    return {"expired": expired, "left": len(table.snapshots()) - expired, "tags": tags}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Expire snapshots of all tables."""
    args = with_age(
        parser(
            "Expire old snapshots; tagged ones stay.",
            "python -m schemas.maintenance.expire_snapshots --date 2026-03-01 --dry-run",
        )
    ).parse_args(argv)
    before, lake = cutoff(args.date, args.keep_days), open_lake()
    with maintenance_lock():
        found = each_table(lake, args.table, lambda name: expire(lake, name, before, dry_run=args.dry_run))
    log.info("expired", snapshots=sum(f["expired"] for f in found.tables.values()), dry_run=args.dry_run)
    found.expect_all()
    return {"dry_run": args.dry_run, "tables": found.tables}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
