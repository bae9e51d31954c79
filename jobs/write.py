"""Parquet files of a staged attempt, written by a task: one for each partition, in the contract's types."""

import uuid
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.contract import Contract

ROW_GROUP_ROWS = 1 << 20


def write_partitions(rows: pl.DataFrame, contract: Contract, folder: Path, order: Sequence[str] = ()) -> list[str]:
    """Write the rows of a table, in ``order`` within each partition.

    Args:
        rows: the contract's columns.
        contract: of the table.
        folder: of the attempt; every file gets a name that no other has.
        order: columns to sort by; without any the rows stay as they stand.

    Returns:
        The paths of the files.
    """
    written = []
    for values, part in rows.partition_by(contract.partition_by, as_dict=True).items():
        place = folder.joinpath(*[f"_{name}={value}" for name, value in zip(contract.partition_by, values, strict=True)])
        place.mkdir(parents=True, exist_ok=True)
        path = place / f"part-{uuid.uuid4().hex}.parquet"
        write_rows(part.sort(order) if order else part, contract.arrow_schema, path)
        written.append(str(path))
    return written


def write_rows(rows: pl.DataFrame, schema: pa.Schema, path: Path) -> None:
    table = rows.select(schema.names).to_arrow().cast(schema)
    pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP_ROWS)
