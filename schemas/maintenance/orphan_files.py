"""Remove orphan files: those of expired snapshots, of lost commits, and of attempts that were never published.

Only files older than ``--keep-days`` are removed. A staged attempt that was not published is first abandoned: its manifest is
removed, so that nobody can start to publish it. Its files are removed by the next run with a later date.

``python -m schemas.maintenance.orphan_files --date 2026-11-20``
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from schemas.contract import table_names
from schemas.lake.lake import Lake, open_lake
from schemas.lake.referenced_files import ReferencedFiles, metadata_folder, referenced_files
from schemas.lake.storage import listing
from schemas.lake.storage import remove as remove_file
from schemas.maintenance.each_table import Maintained, each_table
from schemas.maintenance.lock import maintenance_lock
from schemas.maintenance.options import cutoff, parser, with_age
from schemas.publishing.audit_record import RECORD
from schemas.publishing.staging import MANIFEST, Manifest, data_folder
from schemas.runtime.cli import log, run_command
from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import get_settings

GIVEN_UP = "given-up"
"""File that replaces the manifest of an abandoned attempt: the attempt, and the date on which it was abandoned."""


@dataclass(frozen=True)
class Orphans:
    """Files to remove, with their sizes in bytes."""

    data: dict[str, int]
    metadata: dict[str, int]


def manifests() -> dict[Path, Manifest]:
    """All readable manifests of staged runs, by path."""
    found = {}
    for path in sorted(get_settings().staging.glob(f"*/*/{MANIFEST}")):
        with suppress(ValueError, FileNotFoundError):
            found[path] = Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    return found


def orphans(lake: Lake, name: str, before: datetime, spared: set[str]) -> Orphans:
    """Find the unreferenced files in a table's folders that are older than a given time.

    Args:
        lake: the lake.
        name: the table; it may not exist yet.
        before: the time; files that changed later stay.
        spared: attempts that can still be published.
    """
    # List files before reading snapshots, so that files published in between count as referenced.
    data, folder = listing(data_folder(name)), len(data_folder(name)) + 1
    exists = lake.exists(name)
    metadata = listing(metadata_folder(lake.table(name))) if exists else {}
    used = referenced_files(lake.table(name)) if exists else ReferencedFiles()
    newest: dict[str, datetime] = defaultdict(lambda: datetime.min.replace(tzinfo=UTC))
    for path, found in data.items():
        attempt = path[folder:].split("/", 1)[0]
        newest[attempt] = max(newest[attempt], found.changed)
    old = {attempt for attempt, changed in newest.items() if changed < before} - spared
    return Orphans(
        {p: f.bytes for p, f in data.items() if p not in used.data and p[folder:].split("/", 1)[0] in old},
        {p: f.bytes for p, f in metadata.items() if p not in used.metadata and f.changed < before},
    )


def give_up(lake: Lake, on: date, before: datetime, *, dry_run: bool = False) -> tuple[int, set[str]]:
    """Abandon attempts that were staged before a given time and not published.

    Args:
        lake: the lake.
        on: date of this run.
        before: the time.
        dry_run: whether to only count.

    Returns:
        The number of attempts abandoned by this run, and the attempts whose files must stay for now.
    """
    used = each_table(lake, None, lambda name: {"files": referenced_files(lake.table(name)).data})
    given_up, spared = 0, set()
    for path, manifest in manifests().items():
        # Whether an attempt was published cannot be known while a table of it cannot be read.
        published = any(
            name in used.failed or any(file in used.tables.get(name, {"files": ()})["files"] for file in table.paths)
            for name, table in manifest.tables.items()
        )
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        spared.add(manifest.attempt)
        if published or changed >= before:
            continue
        given_up += 1
        if not dry_run:
            write_atomically(path.with_name(GIVEN_UP), f"{manifest.attempt} {on}\n")
            path.unlink(missing_ok=True)
            path.with_name(RECORD).unlink(missing_ok=True)
    for path in get_settings().staging.glob(f"*/*/{GIVEN_UP}"):
        attempt, given_up_on = path.read_text(encoding="utf-8").split()
        if date.fromisoformat(given_up_on) >= on:
            spared.add(attempt)
        elif not dry_run:
            path.unlink()
            with suppress(OSError):  # the run was built again in the meantime
                path.parent.rmdir()
    return given_up, spared


def remove(lake: Lake, names: Sequence[str], on: date, before: datetime, *, dry_run: bool = False) -> dict[str, Any]:
    """Remove the orphan files of some tables.

    Args:
        lake: the lake.
        names: the tables.
        on: date of this run.
        before: files that changed later stay.
        dry_run: whether to only count.

    Returns:
        The number of abandoned attempts, and the counts and bytes of removed files by table.
    """
    given_up, spared = give_up(lake, on, before, dry_run=dry_run)
    found = Maintained()
    for name in names:
        found.do(name, lambda name=name: remove_of_table(lake, name, before, spared, dry_run=dry_run))  # type: ignore[misc]
    found.expect_all()
    return {"given_up": given_up, "tables": found.tables}


def remove_of_table(lake: Lake, name: str, before: datetime, spared: set[str], *, dry_run: bool = False) -> dict[str, int]:
    """Remove the orphan files of a table.

    Args:
        lake: the lake.
        name: the table.
        before: files that changed later stay.
        spared: attempts that can still be published.
        dry_run: whether to only count.

    Returns:
        The counts and bytes of removed files.
    """
    table = orphans(lake, name, before, spared)
    if not dry_run:
        for path in (*table.data, *table.metadata):
            remove_file(path)
    return {
        "data_files": len(table.data),
        "metadata_files": len(table.metadata),
        "bytes": sum(table.data.values()) + sum(table.metadata.values()),
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Remove the orphan files of all tables."""
    args = with_age(
        parser(
            "Remove files that no snapshot refers to.", "python -m schemas.maintenance.orphan_files --date 2026-03-01 --dry-run"
        )
    ).parse_args(argv)
    before, lake = cutoff(args.date, args.keep_days), open_lake()
    with maintenance_lock():
        found = remove(lake, args.table or table_names(), args.date, before, dry_run=args.dry_run)
    log.info("removed", bytes=sum(t["bytes"] for t in found["tables"].values()), dry_run=args.dry_run)
    return {"dry_run": args.dry_run, **found}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
