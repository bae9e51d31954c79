"""Expire snapshots that nobody reads any more. Tagged ones stay, and so does what the rows that are still there were made from.

A snapshot may be read for as long as it was the newest, and for ``--keep-days`` after another took its place.

``python -m schemas.maintenance.expire_snapshots --date 2026-11-20``
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from pyiceberg.table import Table
from pyiceberg.table.update.snapshot import ExpireSnapshots, ManageSnapshots

from schemas.lake.catalog import until_committed
from schemas.lake.commit_history import remember
from schemas.lake.lake import Lake, open_lake
from schemas.maintenance.lock import one_at_a_time
from schemas.maintenance.options import chosen, cutoff, parser, with_age
from schemas.runtime.cli import log, run_command


def outlived(table: Table, before: datetime) -> list[int]:
    """The snapshots without a name that were replaced before a moment."""
    replaced_ms: dict[int, int] = {}
    for snapshot in table.snapshots():
        if snapshot.parent_snapshot_id is not None:
            last = replaced_ms.get(snapshot.parent_snapshot_id, 0)
            replaced_ms[snapshot.parent_snapshot_id] = max(last, snapshot.timestamp_ms)
    named = {ref.snapshot_id for ref in table.refs().values()}
    limit = before.timestamp() * 1000
    # One without a successor is the newest, which has a name, or its successor was expired before.
    unnamed = [snapshot.snapshot_id for snapshot in table.snapshots() if snapshot.snapshot_id not in named]
    return [snapshot for snapshot in unnamed if replaced_ms.get(snapshot, 0) < limit]


def expire_snapshots(lake: Lake, name: str, snapshots: Collection[int], tags: Collection[str] = ()) -> int:
    """Expire some snapshots, in one commit; what they say of themselves is written down before.

    Args:
        lake: the lake.
        name: the table.
        snapshots: which; those with a name stay, but for ``tags``.
        tags: names to take away first.

    Returns:
        How many were there and are expired.
    """

    def attempt() -> int:
        table = lake.table(name)
        gone = [tag for tag in tags if tag in table.refs()]
        named = {ref.snapshot_id for tag, ref in table.refs().items() if tag not in gone}
        ids = {s.snapshot_id for s in table.snapshots()} & set(snapshots) - named
        if not ids and not gone:
            return 0
        remember(lake.history_folder(name), table)  # what the rows that stay were made from
        with table.transaction() as transaction:
            for tag in gone:
                ManageSnapshots(transaction).remove_tag(tag).commit()
            ExpireSnapshots(transaction).by_ids(sorted(ids)).commit()
        return len(ids)

    return until_committed(attempt, f"the expiry of snapshots of {name}", "run this again")


def expire(lake: Lake, name: str, before: datetime, *, dry_run: bool = False) -> dict[str, Any]:
    """Expire the snapshots of a table that were replaced before a moment."""
    table = lake.table(name)
    ids = outlived(table, before)
    expired = len(ids) if dry_run else expire_snapshots(lake, name, ids)
    tags = sorted(tag for tag in table.refs() if tag != "main")
    return {"expired": expired, "left": len(table.snapshots()) - expired, "tags": tags}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Expire snapshots of all tables."""
    args = with_age(parser("Expire snapshots that nobody reads any more; tagged ones stay.")).parse_args(argv)
    before, lake = cutoff(args.date, args.keep_days), open_lake()
    with one_at_a_time():
        found = {name: expire(lake, name, before, dry_run=args.dry_run) for name in chosen(lake, args.table)}
    log.info("expired", snapshots=sum(f["expired"] for f in found.values()), dry_run=args.dry_run)
    return {"dry_run": args.dry_run, "tables": found}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
