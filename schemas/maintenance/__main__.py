"""Run all maintenance tasks in sequence; the workflow ``maintain_lake`` runs them as separate tasks.

``python -m schemas.maintenance --date 2026-11-20``
"""

from collections.abc import Sequence
from typing import Any

from schemas.maintenance import compact, expire_snapshots, orphan_files, record_retention, retention, table_statistics
from schemas.maintenance.each_table import Maintained
from schemas.maintenance.options import parser, with_age
from schemas.runtime.cli import run_command


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Retention of tables and records, compaction, expiry, orphans, statistics; each runs, also if another one failed."""
    args = with_age(
        parser(
            "Maintain the lake: retention, compaction, expiry, orphans, statistics, records.",
            "python -m schemas.maintenance --date 2026-03-01 --dry-run",
        )
    ).parse_args(argv)
    when = ["--date", str(args.date), "--run", args.run]
    common = [*when, *(f"--table={name}" for name in args.table or [])]
    dry, age = ["--dry-run"] if args.dry_run else [], ["--keep-days", str(args.keep_days)]
    found = Maintained()
    found.do("retention", lambda: retention.main([*common, *dry]))
    found.do("compact", lambda: compact.main([*common, *dry]))
    found.do("expire", lambda: expire_snapshots.main([*common, *dry, *age]))
    found.do("orphans", lambda: orphan_files.main([*common, *dry, *age]))
    found.do("statistics", lambda: table_statistics.main(common))
    found.do("records", lambda: record_retention.main([*when, *dry]))
    found.expect_all("tasks")
    return found.tables


if __name__ == "__main__":
    raise SystemExit(run_command(main))
