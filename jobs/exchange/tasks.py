"""Distribute files among the tasks of a job, and read a Parquet file one row group at a time."""

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from schemas.contract import load_contract
from schemas.lake.conform import conformed
from schemas.lake.storage import open_parquet

BYTES_A_TASK = 8 << 20


def in_tasks(sizes: Iterable[int]) -> list[list[int]]:
    """Assign files to tasks by their sizes in bytes: small files share a task, because every task has a fixed cost.

    Returns:
        For each task the numbers of its files.

    >>> in_tasks([5 << 20, 2 << 20, 4 << 20, 30 << 20])
    [[0, 1], [2], [3]]
    """
    tasks: list[list[int]] = []
    filled = 0
    for number, size in enumerate(sizes):
        if not tasks or filled + size > BYTES_A_TASK:
            tasks.append([])
            filled = 0
        tasks[-1].append(number)
        filled += size
    return tasks


def read_rows(path: str, columns: Sequence[str], table: str | None = None) -> Iterator[pl.DataFrame]:
    """The rows of a Parquet file, one row group at a time.

    Args:
        path: the file.
        columns: the columns to read.
        table: the table of the file; rows of older files are converted to its current contract.
    """
    contract = None if table is None else load_contract(table)
    with open_parquet(path) as file:
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, columns=list(columns))
            yield pl.DataFrame(rows if contract is None else conformed(rows, contract, columns))
