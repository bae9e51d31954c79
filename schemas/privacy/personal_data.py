"""Find rows of persons by a table's contract.

If the contract requires a pseudonym in every row, that column is searched, and Parquet statistics exclude files. In other
tables (``rejects``) a pseudonym may be part of a text, so all texts are searched.
"""

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from schemas.contract import Contract
from schemas.privacy.pseudonyms import PSEUDONYM

TRACE = 15
"""Characters of a pseudonym that survive in column bounds: Iceberg truncates to 16, and increments the last of upper bounds."""


def is_personal(contract: Contract) -> bool:
    """Whether a table holds personal data, by the classes of its columns.

    >>> from schemas.contract import load_contract
    >>> is_personal(load_contract("sessions")), is_personal(load_contract("items"))
    (True, False)
    """
    return any(kind != "none" for kind in contract.personal.values())


def person_columns(contract: Contract) -> list[str]:
    """The columns whose whole value is a pseudonym; columns in a struct as a path.

    >>> from schemas.contract import load_contract
    >>> person_columns(load_contract("conflicts"))
    ['user_id', 'kept.user_id', 'refused.user_id']
    """
    wanted = f"^{PSEUDONYM.pattern}$"
    found = [str(p.name) for p in contract.properties if (p.logicalTypeOptions or {}).get("pattern") == wanted]
    nested = [f.name for f in contract.arrow_schema if pa.types.is_struct(f.type) and f.type.get_field_index("user_id") >= 0]
    return [*found, *(f"{name}.user_id" for name in nested)]


def masked_columns(contract: Contract) -> list[str]:
    """The text columns that may contain pseudonyms.

    >>> from schemas.contract import load_contract
    >>> masked_columns(load_contract("rejects"))
    ['line']
    """
    kinds, texts = contract.personal, [f.name for f in contract.arrow_schema if pa.types.is_string(f.type)]
    ruled = {rule.column for rule in contract.rules if rule.pattern}
    return [name for name in texts if kinds[name] == "pseudonym" and name not in ruled]


def columns_with_persons(contract: Contract) -> list[str]:
    """All columns that hold or contain pseudonyms."""
    return [*person_columns(contract), *masked_columns(contract)]


def persons_in(contract: Contract, rows: pa.Table) -> set[str]:
    """The pseudonyms in the columns of :func:`columns_with_persons`.

    Args:
        contract: contract of the table.
        rows: rows with at least these columns.
    """
    found: set[str] = set()
    for column in person_columns(contract):
        name, _, inner = column.partition(".")
        values = pc.struct_field(rows[name], inner) if inner else rows[name]
        found |= set(pc.unique(values).to_pylist()) - {None}
    for column in masked_columns(contract):
        found |= {name for text in pc.unique(rows[column]).to_pylist() if text for name in PSEUDONYM.findall(text)}
    return found


def required_person(contract: Contract) -> str | None:
    """The column that holds the person of every row, or None.

    >>> from schemas.contract import load_contract
    >>> required_person(load_contract("sessions"))
    'user_id'
    """
    demanded = {p.name for p in contract.properties if p.required}
    return next((name for name in person_columns(contract) if name in demanded), None)


def rows_of(contract: Contract, rows: pa.Table, persons: Collection[str]) -> pa.ChunkedArray:
    """For each row, whether it belongs to one of some persons.

    Args:
        contract: contract of the table.
        rows: rows of the table.
        persons: the pseudonyms.

    Returns:
        A Boolean array with one value per row.
    """
    column = required_person(contract)
    if column is not None:
        return pc.is_in(rows[column], pa.array(sorted(persons), rows[column].type))
    hit = pa.chunked_array([pa.repeat(False, rows.num_rows)])
    for name in rows.column_names:
        for text in _texts_by_row(rows[name]):
            for person in persons:
                hit = pc.or_(hit, pc.fill_null(pc.match_substring(text, person), False))
    return hit


def _texts_by_row(column: pa.ChunkedArray) -> Iterator[pa.ChunkedArray]:
    """The texts of a column, one array per text field; structs are searched by field, and lists are joined."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield column
    elif pa.types.is_struct(kind):
        for i in range(kind.num_fields):
            yield from _texts_by_row(pc.struct_field(column, i))
    elif pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        yield pc.binary_join(column, "\n")
