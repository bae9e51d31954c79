"""Write the many small files of a partition into few: the same rows, in one commit a table.

``python -m schemas.maintenance.compact --date 2026-11-20``
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyiceberg.manifest import DataFile

from schemas.contract import Contract, load_contract
from schemas.lake.lake import Lake, open_lake
from schemas.lake.rewrite import Swap, live_files, partition_values, swap_files
from schemas.lake.storage import open_parquet, remove, write_parquet
from schemas.maintenance.lock import one_at_a_time
from schemas.maintenance.options import chosen, parser
from schemas.privacy.erasure_requests import pending
from schemas.privacy.personal_data import required_person
from schemas.publishing.staging import data_folder
from schemas.runtime.cli import log, run_command
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import get_settings

JOB = "keep.compact"
TARGET_MIB = 128
FEWEST = 4
"""Fewer small files in a partition are left as they are."""


def groups(files: Sequence[DataFile], target_bytes: int, fewest: int) -> Iterator[list[DataFile]]:
    """Which files of a partition to write into one: small ones, in the order of their names, up to the target."""
    small = sorted((f for f in files if f.file_size_in_bytes < target_bytes // 2), key=lambda f: f.file_path)
    if len(small) < fewest:
        return
    group: list[DataFile] = []
    for file in small:
        if group and sum(f.file_size_in_bytes for f in group) + file.file_size_in_bytes > target_bytes:
            yield group
            group = []
        group.append(file)
    yield group


def order_of(contract: Contract) -> list[str]:
    """The columns that rows are sorted by: person, time, key."""
    times = [f.name for f in contract.arrow_schema if pa.types.is_timestamp(f.type)][:1]
    person = required_person(contract)
    return list(dict.fromkeys([*([person, *times] if person else []), *contract.primary_key]))


def written_together(contract: Contract, group: Sequence[DataFile], values: dict[str, str], attempt: str) -> str:
    """Write the rows of some files of a partition into one, by person and time, as the jobs write them.

    Raises:
        ClickwrightError: a row is missing, or one too many.
    """
    parts = []
    for file in group:
        with open_parquet(file.file_path) as opened:
            parts.append(opened.read())
    rows = pa.concat_tables(parts, promote_options="default")
    rows = rows.select([name for name in contract.columns if name in rows.column_names])
    rows = rows.sort_by([(column, "ascending") for column in order_of(contract)])
    expected = sum(file.record_count for file in group)
    if rows.num_rows != expected:
        raise ClickwrightError(
            f"{expected} rows were to be written together, and {rows.num_rows} are there; table {contract.name}; "
            "nothing was changed: run this again"
        )
    place = "/".join(f"_{column}={value}" for column, value in values.items())
    name = f"{data_folder(contract.name)}/{attempt}/{place}/part-{uuid.uuid4().hex}.parquet"
    write_parquet(rows, name)
    return name


def compact(
    lake: Lake, name: str, run: str, *, target_bytes: int = TARGET_MIB << 20, fewest: int = FEWEST, dry_run: bool = False
) -> dict[str, Any]:
    """Compact the partitions of a table that have many small files."""
    contract, table = load_contract(name), lake.table(name)
    files = list(live_files(table).values())
    partitions: dict[tuple[tuple[str, str], ...], list[DataFile]] = defaultdict(list)
    for file, values in zip(files, partition_values(name, table, files), strict=True):
        partitions[tuple(values.items())].append(file)
    work = [(dict(at), g) for at, of in partitions.items() for g in groups(of, target_bytes, fewest) if len(g) > 1]
    found: dict[str, Any] = {"partitions": len({tuple(at.items()) for at, _ in work}), "files": sum(len(g) for _, g in work)}
    if not work or dry_run:
        return {**found, "into": len(work)}
    attempt = uuid.uuid4().hex
    swaps = [Swap(tuple(f.file_path for f in group), (written_together(contract, group, at, attempt),)) for at, group in work]
    notes = {"rows": sum(f.record_count for _, group in work for f in group), **found}
    made = swap_files(lake, name, swaps, JOB, run, notes)
    for swap in swaps:
        if swap not in made:  # its partition was replaced meanwhile
            remove(swap.new[0])
    return {**found, "into": len(made)}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Compact all tables."""
    made = parser("Write the many small files of a partition into few.")
    made.add_argument("--target-mib", type=int, default=TARGET_MIB, help=f"size to fill files up to ({TARGET_MIB})")
    made.add_argument("--fewest", type=int, default=FEWEST, help=f"leave partitions with fewer small files ({FEWEST})")
    args = made.parse_args(argv)
    lake = open_lake()
    with one_at_a_time():
        if pending(get_settings()):
            raise ClickwrightError(
                "an erasure is not finished, and compaction would move what it removes; nothing was changed; "
                "run `python -m schemas.erasure --pending` first"
            )
        found = {
            name: compact(lake, name, args.run, target_bytes=args.target_mib << 20, fewest=args.fewest, dry_run=args.dry_run)
            for name in chosen(lake, args.table)
        }
    log.info("compacted", files=sum(f["files"] for f in found.values()), dry_run=args.dry_run)
    return {"dry_run": args.dry_run, "tables": found}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
