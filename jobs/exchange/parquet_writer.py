"""Parquet files of a staged attempt, written by a task: one for each partition, with the types of the contract."""

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.contract import Contract

ROW_GROUP_ROWS = 1 << 20
SAMPLE = 1000


def write_partitions(rows: pl.DataFrame, contract: Contract, folder: Path, order: Sequence[str] = ()) -> list[str]:
    """Write the rows of a table, in ``order`` within each partition.

    Args:
        rows: the contract's columns.
        contract: of the table.
        folder: of the attempt; every file gets a unique name.
        order: columns to sort by; without any the rows keep their order.

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


def content(rows: pl.DataFrame) -> int:
    """A digest of the rows that does not depend on their order: the sum of their hashes modulo 2**64.

    Digests of parts of a table can be added. Another version of Polars may hash differently: then equal rows look changed, but
    changed rows never look equal.

    >>> content(pl.DataFrame({"a": [1, 2, 3]})) == content(pl.DataFrame({"a": [3, 1, 2]}))
    True
    """
    return int(rows.hash_rows(seed=0).to_numpy().sum(dtype=np.uint64))


def write_rows(rows: pl.DataFrame, schema: pa.Schema, path: Path) -> None:
    """Write a Parquet file. Categorical columns stay dictionaries until they are written, and are plain strings in the file.

    Args:
        rows: at least the columns of the schema.
        schema: names and types of the file's columns.
        path: the file.
    """
    table = rows.select(schema.names).to_arrow()
    kept = {field.name: field.type for field in table.schema if pa.types.is_dictionary(field.type)}
    wanted = [
        field.with_type(pa.dictionary(kept[field.name].index_type, field.type)) if field.name in kept else field
        for field in schema
    ]
    described = [leaf for field in schema if not _all_differ(rows[field.name]) for leaf in _leaves(field)]
    pq.write_table(
        table.cast(pa.schema(wanted)),
        path,
        compression="zstd",
        row_group_size=ROW_GROUP_ROWS,
        use_dictionary=described,
        write_statistics=described,
        store_schema=False,
    )


def _leaves(field: pa.Field, inside: str = "") -> Iterator[str]:
    """The Parquet columns of a field, by their names in Parquet."""
    path, kind = f"{inside}{field.name}", field.type
    if pa.types.is_struct(kind):
        for child in kind:
            yield from _leaves(child, f"{path}.")
    elif pa.types.is_map(kind):
        yield from _leaves(kind.key_field, f"{path}.key_value.")
        yield from _leaves(kind.item_field, f"{path}.key_value.")
    elif pa.types.is_list(kind):
        yield from _leaves(kind.value_field.with_name("element"), f"{path}.list.")
    else:
        yield path


def _all_differ(column: pl.Series) -> bool:
    """Whether nearly all texts of a column differ, so that a dictionary or min/max statistics would be useless."""
    return column.dtype == pl.String and column.head(SAMPLE).n_unique() > 0.9 * SAMPLE
