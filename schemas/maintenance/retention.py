"""Drop partitions that exceed the retention of their contract: days before a date, by the first partition column.

``python -m schemas.maintenance.retention --date 2026-11-20``
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from schemas.contract import load_contract
from schemas.lake.lake import Lake, open_lake
from schemas.lake.rewrite import FileRewrite, live_files, partition_values, rewrite_data_files
from schemas.maintenance.each_table import each_table
from schemas.maintenance.lock import maintenance_lock
from schemas.maintenance.options import parser
from schemas.runtime.cli import log, run_command
from schemas.runtime.errors import Refused

JOB = "keep.retention"


def retain(lake: Lake, name: str, on: date, run: str, *, allow_empty: bool = False, dry_run: bool = False) -> dict[str, Any]:
    """Drop the partitions of a table that exceed its retention.

    Args:
        lake: the lake.
        name: the table.
        on: day from which the retention is counted back.
        run: name of the run, recorded with the commit.
        allow_empty: whether all rows may be dropped.
        dry_run: whether to only count.

    Returns:
        The first day that is kept, and the numbers of dropped partitions and rows.

    Raises:
        Refused: all rows would be dropped, which usually means a wrong date.
    """
    contract, table = load_contract(name), lake.table(name)
    if contract.retention_days is None:
        return {"dropped": 0, "rows": 0}
    first_kept, field = on - timedelta(days=contract.retention_days), contract.partition_by[0]
    live = live_files(table)
    days = {path: v[field] for path, v in zip(live, partition_values(name, table, list(live.values())), strict=True)}
    old = [path for path, day in days.items() if day < first_kept.isoformat()]
    if old and len(old) == len(live) and not allow_empty:
        raise Refused(
            f"all rows of {name} exceed the retention of {contract.retention_days} days; before {first_kept}; "
            f"correct --date, or run `python -m schemas.maintenance.retention --table {name} --allow-empty` with it"
        )
    found = {
        "kept_from": str(first_kept),
        "dropped": len({days[path] for path in old}),
        "rows": sum(live[path].record_count for path in old),
    }
    if old and not dry_run:
        rewrite_data_files(lake, name, [FileRewrite((path,)) for path in old], JOB, run, found)
    return found


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Drop expired partitions of all tables."""
    made = parser(
        "Drop partitions that exceed the retention of their contract.",
        "python -m schemas.maintenance.retention --date 2026-03-01 --dry-run",
    )
    made.add_argument("--allow-empty", action="store_true", help="allow dropping all rows of a table")
    args = made.parse_args(argv)
    lake = open_lake()
    with maintenance_lock():
        found = each_table(
            lake,
            args.table,
            lambda name: retain(lake, name, args.date, args.run, allow_empty=args.allow_empty, dry_run=args.dry_run),
        )
    log.info("dropped", partitions=sum(f["dropped"] for f in found.tables.values()), dry_run=args.dry_run)
    found.expect_all()
    return {"dry_run": args.dry_run, "tables": found.tables}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
