"""Compact the small data files of partitions: the same rows in fewer files, with one commit per table.

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
from schemas.lake.rewrite import FileRewrite, live_files, partition_values, rewrite_data_files
from schemas.lake.storage import open_parquet, remove, write_parquet
from schemas.maintenance.each_table import each_table
from schemas.maintenance.lock import maintenance_lock
from schemas.maintenance.options import parser
from schemas.privacy.erasure_requests import pending
from schemas.privacy.personal_data import required_person
from schemas.publishing.staging import data_folder
from schemas.runtime.cli import log, run_command
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import get_settings

JOB = "keep.compact"
TARGET_MIB = 128
FEWEST = 4
"""Partitions with fewer small files are not compacted."""


def groups(files: Sequence[DataFile], target_bytes: int, fewest: int) -> Iterator[list[DataFile]]:
    """Group a partition's small files, by name order, so that each group fits the target size.

    Args:
        files: data files of one partition.
        target_bytes: maximum size of a group; files smaller than half of it are small.
        fewest: minimum number of small files; below it there are no groups.
    """
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
    """The sort columns of compacted files: person, time, key.

    >>> order_of(load_contract("sessions"))
    ['user_id', 'started_at', 'session_id']
    """
    times = [f.name for f in contract.arrow_schema if pa.types.is_timestamp(f.type)][:1]
    person = required_person(contract)
    return list(dict.fromkeys([*([person, *times] if person else []), *contract.primary_key]))


def written_together(contract: Contract, group: Sequence[DataFile], values: dict[str, str], attempt: str) -> str:
    """Write the rows of some files of a partition to one file, sorted by person and time as jobs write them.

    Args:
        contract: contract of the table.
        group: the data files.
        values: the partition's values, by partition field.
        attempt: folder name for the new file.

    Returns:
        Name of the new file.

    Raises:
        ClickwrightError: the number of rows differs from the metadata.
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
            f"expected {expected} rows to compact, but found {rows.num_rows}; table {contract.name}; "
            "nothing was changed: run the same command again"
        )
    place = "/".join(f"_{column}={value}" for column, value in values.items())
    name = f"{data_folder(contract.name)}/{attempt}/{place}/part-{uuid.uuid4().hex}.parquet"
    write_parquet(rows, name)
    return name


def compact(
    lake: Lake, name: str, run: str, *, target_bytes: int = TARGET_MIB << 20, fewest: int = FEWEST, dry_run: bool = False
) -> dict[str, Any]:
    """Compact the partitions of a table that have many small files.

    Args:
        lake: the lake.
        name: the table.
        run: name of the run, recorded with the commit.
        target_bytes: size up to which files are filled.
        fewest: minimum number of small files in a partition.
        dry_run: whether to only count.

    Returns:
        Numbers of compacted partitions, of old files, and of new files (``into``).
    """
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
    rewrites = [
        FileRewrite(tuple(f.file_path for f in group), (written_together(contract, group, at, attempt),)) for at, group in work
    ]
    notes = {"rows": sum(f.record_count for _, group in work for f in group), **found}
    made = rewrite_data_files(lake, name, rewrites, JOB, run, notes)
    for rewrite in rewrites:
        if rewrite not in made:  # its partition was replaced in the meantime
            remove(rewrite.new[0])
    return {**found, "into": len(made)}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Compact all tables."""
    made = parser(
        "Compact the small data files of partitions.",
        "python -m schemas.maintenance.compact --date 2026-03-01 --table events --dry-run",
    )
    made.add_argument("--target-mib", type=int, default=TARGET_MIB, help=f"target file size in MiB ({TARGET_MIB})")
    made.add_argument("--fewest", type=int, default=FEWEST, help=f"skip partitions with fewer small files ({FEWEST})")
    args = made.parse_args(argv)
    lake = open_lake()
    with maintenance_lock():
        if pending(get_settings()):
            raise ClickwrightError(
                "an erasure is not finished, and compaction would move the rows that it removes; nothing was changed; "
                "run `python -m schemas.erasure --pending` first"
            )
        size = args.target_mib << 20
        found = each_table(
            lake,
            args.table,
            lambda name: compact(lake, name, args.run, target_bytes=size, fewest=args.fewest, dry_run=args.dry_run),
        )
    log.info("compacted", files=sum(f["files"] for f in found.tables.values()), dry_run=args.dry_run)
    found.expect_all()
    return {"dry_run": args.dry_run, "tables": found.tables}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
