"""Remove old records of runs: audits, staging records, logs, and the report of the demonstration.

No table's retention reaches these files, although they describe rows. ``CLICKWRIGHT_RECORD_DAYS`` is the number of days for
which they are kept, counted from their last change.

``python -m schemas.maintenance.record_retention --date 2026-11-20``
"""

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.maintenance.lock import maintenance_lock
from schemas.maintenance.options import cutoff, parser
from schemas.runtime.cli import log, run_command
from schemas.runtime.settings import Settings, get_settings

REPORTS = ("demo.json", "demo.html")
"""The figures and the report of the demonstration; they show the histories of some users."""


def old_records(settings: Settings, before: datetime) -> dict[str, list[Path]]:
    """The records that have not changed since a given time, by kind: folders of runs, and files.

    Args:
        settings: the settings, with the state folder.
        before: the time.
    """

    def old(paths: Iterator[Path]) -> list[Path]:
        return sorted(path for path in paths if not path.is_symlink() and _changed(path) < before)

    return {
        "audits": old(settings.audits.glob("*/*")),
        "staging": old(settings.staging.glob("*/*")),
        "task_logs": old(path for path in (settings.var / "airflow" / "logs").rglob("*") if path.is_file()),
        "service_logs": old(path for path in settings.logs.glob("*") if path.is_file() and path.stat().st_size),
        "reports": old(path for name in REPORTS if (path := settings.var / name).is_file()),
    }


def _changed(path: Path) -> datetime:
    """The last change of a file, or of the newest file in a folder."""
    files = [path, *(inner for inner in path.rglob("*") if inner.is_file())] if path.is_dir() else [path]
    inside = files[1:] or files  # the folder itself changes when one of its files is removed
    return datetime.fromtimestamp(max(file.lstat().st_mtime for file in inside), UTC)


def remove(kind: str, path: Path) -> None:
    """Remove a record. A service may still write to its log, so that file is emptied instead.

    Args:
        kind: the kind, as named by :func:`old_records`.
        path: the file or folder.
    """
    if kind == "service_logs":
        path.write_bytes(b"")
    elif path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Remove records that exceed their retention."""
    args = parser(
        "Remove old audits, staging records, logs and reports.",
        "python -m schemas.maintenance.record_retention --date 2026-03-01 --dry-run",
        tables=False,
    ).parse_args(argv)
    settings = get_settings()
    before = cutoff(args.date, settings.record_days)
    with maintenance_lock():
        found = old_records(settings, before)
        if not args.dry_run:
            for kind, paths in found.items():
                for path in paths:
                    remove(kind, path)
    counts = {kind: len(paths) for kind, paths in found.items()}
    log.info("removed records", **counts, dry_run=args.dry_run)
    return {"dry_run": args.dry_run, "kept_from": str(before.date()), **counts}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
