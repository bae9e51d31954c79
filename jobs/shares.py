"""Files shared out among the tasks of a job, and the rows of a Parquet file in pieces."""

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from schemas.files import open_parquet

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


def read_rows(path: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The rows of a file, a row group at a time."""
    with open_parquet(path) as file:
        for group in range(file.num_row_groups):
            yield pl.DataFrame(file.read_row_group(group, columns=list(columns)))
