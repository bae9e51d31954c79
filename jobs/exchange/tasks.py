"""Files shared out among the tasks of a job, and the rows of a Parquet file in pieces."""

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from schemas.contract import load_contract
from schemas.lake.conform import conformed
from schemas.lake.storage import open_parquet

BYTES_A_TASK = 8 << 20


def in_tasks(sizes: Iterable[int]) -> list[list[int]]:
    """The numbers of files of some sizes, shared out among tasks: small files together, as each task costs something."""
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
    """The rows of a file, a row group at a time; of a file of a table as the table's contract has them, however old it is."""
    contract = None if table is None else load_contract(table)
    with open_parquet(path) as file:
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, columns=list(columns))
            yield pl.DataFrame(rows if contract is None else conformed(rows, contract, columns))
