"""Erase persons from one table: rewrite files, expire snapshots and remove the old files."""

import uuid
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import ManifestFile
from pyiceberg.table import Table

from schemas.contract import Contract, load_contract
from schemas.erasure.avro import decoded
from schemas.erasure.progress import TableProgress
from schemas.erasure.search import holds, persons_held
from schemas.lake.lake import Lake
from schemas.lake.referenced_files import ReferencedFiles, metadata_folder, referenced_files
from schemas.lake.rewrite import FileRewrite, live_files, rewrite_data_files
from schemas.lake.storage import listing, open_parquet, plain, read_bytes, remove, write_parquet
from schemas.maintenance.expire_snapshots import expire_snapshots
from schemas.privacy.erasure_requests import Request
from schemas.privacy.personal_data import TRACE, rows_of
from schemas.publishing.staging import data_folder

JOB = "erase"
ABANDONED = timedelta(hours=1)
"""A truncated Parquet file that is unchanged for this long was left by a job that was killed."""
UNREADABLE = "unreadable"
"""Stands for the persons of a truncated file."""
Save = Callable[[], None]


def rewrite_table(lake: Lake, name: str, request: Request, found: TableProgress, save: Save) -> None:
    """Remove the persons' rows from the current snapshot, in one commit.

    The commit is made even if there is nothing to remove: a publish that began before the persons were on the suppression list
    then loses its commit, and sees the list in its retry.

    Args:
        lake: the lake.
        name: the table.
        request: the request.
        found: the findings in this table, to be extended.
        save: saves the findings; called before each change.
    """
    contract, first = load_contract(name), True
    while True:
        live = live_files(lake.table(name))
        held = {path: n for path in live if (n := holds(path, contract, request.persons))}
        if not held and not first:
            return
        found.rows = {path: n for path, n in found.rows.items() if path not in live} | held
        found.persons |= {person for path in held for person in persons_held(path, contract, request.persons)}
        save()
        attempt = f"{request.id}-{uuid.uuid4().hex}"
        rewrites = [FileRewrite((path,), rewritten(contract, path, request.persons, attempt)) for path in held]
        notes = {"rows_removed": sum(held.values()), "erasure": request.id}
        made = rewrite_data_files(lake, name, rewrites, JOB, request.id, notes, forget=True)
        for rewrite in rewrites:
            if rewrite not in made:  # its partition was replaced in the meantime
                for path in rewrite.new:
                    remove(path)
        first = False


def rewritten(contract: Contract, path: str, persons: Collection[str], attempt: str) -> tuple[str, ...]:
    """Write a file's rows without those of the persons to a new file, in the same order.

    Args:
        contract: contract of the table.
        path: the data file.
        persons: the pseudonyms.
        attempt: the folder name for the new file.

    Returns:
        The new file; empty if no row is left.
    """
    with open_parquet(path) as file:
        rows = file.read()
    about = rows_of(contract, rows, persons)
    kept = rows.filter(pc.invert(about))
    if kept.num_rows == 0:
        return ()
    inside = plain(path).removeprefix(f"{data_folder(contract.name)}/").split("/")[1:-1]
    name = "/".join([data_folder(contract.name), attempt, *inside, f"part-{uuid.uuid4().hex}.parquet"])
    write_parquet(kept, name)
    return (name,)


def forget_snapshots(lake: Lake, name: str, request: Request, found: TableProgress, save: Save) -> None:
    """Expire the snapshots that still hold the persons, even tagged ones, and remove the files that only these refer to.

    Args:
        lake: the lake.
        name: the table.
        request: the request.
        found: the findings in this table, to be extended.
        save: saves the findings; called before each change.
    """
    table = lake.table(name)
    traced = set(snapshots_with(table, load_contract(name), request.persons, found.persons))
    others = {s.snapshot_id for s in table.snapshots()} - traced
    of_them, kept = referenced_files(table, traced), referenced_files(table, others)
    found.snapshots |= traced
    found.tags |= {tag for tag, ref in table.refs().items() if ref.snapshot_id in traced}
    found.doomed |= (of_them.data | of_them.metadata) - kept.data - kept.metadata
    save()
    expire_snapshots(lake, name, traced, found.tags)
    used = referenced_files(lake.table(name))
    for path in sorted(found.doomed - used.data - used.metadata):
        found.deleted.add(path)
        remove(path)


def snapshots_with(table: Table, contract: Contract, persons: Collection[str], met: set[str]) -> Iterator[int]:
    """The snapshots, except the newest, that hold the persons in their rows or in the column bounds of their manifests.

    Args:
        table: the Iceberg table.
        contract: contract of the table.
        persons: the pseudonyms.
        met: gets the persons who were found.
    """
    prefixes = {person: person[:TRACE].encode() for person in persons}
    seen: dict[str, bool] = {}
    files: dict[str, set[str]] = {}
    newest = table.metadata.current_snapshot_id

    def gives_away(manifest: ManifestFile) -> bool:
        here: set[str] = set()
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
            file = entry.data_file
            bounds = [*(file.lower_bounds or {}).values(), *(file.upper_bounds or {}).values()]
            here |= {person for person, prefix in prefixes.items() if any(prefix in bound for bound in bounds)}
            if file.file_path not in files:
                files[file.file_path] = _persons_still_held(file.file_path, contract, persons)
            here |= files[file.file_path]
        met.update(here)
        return bool(here)

    for snapshot in table.snapshots():
        if snapshot.snapshot_id == newest:
            continue
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in seen:
                seen[manifest.manifest_path] = gives_away(manifest)
            if seen[manifest.manifest_path]:
                yield snapshot.snapshot_id
                break


def sweep(lake: Lake, name: str, request: Request, found: TableProgress, save: Save) -> None:
    """Remove unreferenced files that hold the persons: those of staged attempts and of lost commits.

    Args:
        lake: the lake.
        name: the table.
        request: the request.
        found: the findings in this table, to be extended.
        save: saves the findings; called before each change.
    """
    contract = load_contract(name)
    data = listing(data_folder(name))
    metadata = listing(metadata_folder(lake.table(name))) if lake.exists(name) else {}
    used = referenced_files(lake.table(name)) if lake.exists(name) else ReferencedFiles()
    abandoned = datetime.now(UTC) - ABANDONED
    begun = f"{data_folder(name)}/{request.id}-"  # files of earlier runs of this request that were killed
    held = {
        path: _persons_still_held(path, contract, request.persons, unreadable=file.changed < abandoned)
        for path, file in data.items()
        if path not in used.data
    }
    held |= {path: _given_away(path, request.persons) for path in metadata if path not in used.metadata}
    gone = [path for path, persons in held.items() if persons or path.startswith(begun)]
    found.persons |= {person for persons in held.values() for person in persons} - {UNREADABLE}
    found.deleted |= set(gone)
    save()
    for path in gone:
        remove(path)


def _persons_still_held(path: str, contract: Contract, persons: Collection[str], *, unreadable: bool = False) -> set[str]:
    """The persons whom a file holds, if it exists; for a truncated file ``UNREADABLE``, if ``unreadable``."""
    try:
        return persons_held(path, contract, persons)
    except FileNotFoundError:
        return set()
    except pa.ArrowInvalid:
        return {UNREADABLE} if unreadable else set()


def _given_away(path: str, persons: Collection[str]) -> set[str]:
    """The persons whose pseudonyms stand in a metadata file of a table, for example in column bounds."""
    try:
        content = read_bytes(path)
    except FileNotFoundError:
        return set()
    texts = (content, decoded(content))
    return {person for person in persons if any(person[:TRACE].encode() in text for text in texts)}
