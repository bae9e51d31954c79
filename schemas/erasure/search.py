"""Search data files for rows of persons."""

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.contract import Contract
from schemas.lake.storage import open_parquet
from schemas.privacy.personal_data import required_person, rows_of


def may_hold(file: pq.ParquetFile, contract: Contract, persons: Collection[str]) -> bool:
    """Whether a file can hold rows of some persons, by its column statistics; true if it has none.

    Args:
        file: an open data file.
        contract: contract of the table.
        persons: the pseudonyms.
    """
    column = required_person(contract)
    if column is None:
        return True
    position = file.schema_arrow.get_field_index(column)
    for group in range(file.metadata.num_row_groups):
        found = file.metadata.row_group(group).column(_leaf(file, position)).statistics
        if found is None or not found.has_min_max or any(found.min <= person <= found.max for person in persons):
            return True
    return False


def holds(name: str, contract: Contract, persons: Collection[str]) -> int:
    """The number of rows of some persons in a file.

    Args:
        name: the data file.
        contract: contract of the table.
        persons: the pseudonyms.
    """
    rows = _columns_with_persons(name, contract, persons)
    return 0 if rows is None else int(pc.sum(rows_of(contract, rows, persons)).as_py() or 0)


def persons_held(name: str, contract: Contract, persons: Collection[str]) -> set[str]:
    """The persons, among some, who have rows in a file.

    Args:
        name: the data file.
        contract: contract of the table.
        persons: the pseudonyms.
    """
    rows = _columns_with_persons(name, contract, persons)
    if rows is None:
        return set()
    if (column := required_person(contract)) is not None:
        return set(persons) & set(pc.unique(rows[column]).to_pylist())
    return {person for person in persons if pc.any(rows_of(contract, rows, [person])).as_py()}


def _columns_with_persons(name: str, contract: Contract, persons: Collection[str]) -> pa.Table | None:
    """What must be read of a file to find persons in it; None if its statistics exclude them."""
    with open_parquet(name) as file:
        if not may_hold(file, contract, persons):
            return None
        column = required_person(contract)
        return file.read(columns=None if column is None else [column])


def _leaf(file: pq.ParquetFile, position: int) -> int:
    """The index of a column among the leaf columns of a file; nested fields are leaves of their own."""
    name = file.schema_arrow.field(position).name
    return next(i for i in range(len(file.schema)) if file.schema.column(i).path == name)
