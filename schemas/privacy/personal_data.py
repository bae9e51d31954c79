"""Rows of persons, found by what a table's contract says of its columns.

A table whose contract demands a pseudonym in every row is searched by that column, and Parquet's statistics say which files
need no look. In any other (``rejects``) a person's pseudonym may stand inside a text: there every text is searched.
"""

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from schemas.contract import Contract
from schemas.privacy.pseudonyms import PSEUDONYM

TRACE = 15
"""Iceberg keeps 16 characters of the least and greatest text of a file's column, the last one higher for the greatest."""


def is_personal(contract: Contract) -> bool:
    """Whether a table holds anything of persons, by the classes of its columns."""
    return any(kind != "none" for kind in contract.personal.values())


def person_columns(contract: Contract) -> list[str]:
    """The columns that hold nothing but a person's pseudonym; those in a struct as a path."""
    wanted = f"^{PSEUDONYM.pattern}$"
    found = [str(p.name) for p in contract.properties if (p.logicalTypeOptions or {}).get("pattern") == wanted]
    nested = [f.name for f in contract.arrow_schema if pa.types.is_struct(f.type) and f.type.get_field_index("user_id") >= 0]
    return [*found, *(f"{name}.user_id" for name in nested)]


def masked_columns(contract: Contract) -> list[str]:
    """The columns of texts that a pseudonym may stand inside."""
    kinds, texts = contract.personal, [f.name for f in contract.arrow_schema if pa.types.is_string(f.type)]
    ruled = {rule.column for rule in contract.rules if rule.pattern}
    return [name for name in texts if kinds[name] == "pseudonym" and name not in ruled]


def columns_with_persons(contract: Contract) -> list[str]:
    """All columns by which rows tell who they are about."""
    return [*person_columns(contract), *masked_columns(contract)]


def persons_in(contract: Contract, rows: pa.Table) -> set[str]:
    """The pseudonyms in the columns of :func:`columns_with_persons`."""
    found: set[str] = set()
    for column in person_columns(contract):
        name, _, inner = column.partition(".")
        values = pc.struct_field(rows[name], inner) if inner else rows[name]
        found |= set(pc.unique(values).to_pylist()) - {None}
    for column in masked_columns(contract):
        found |= {name for text in pc.unique(rows[column]).to_pylist() if text for name in PSEUDONYM.findall(text)}
    return found


def required_person(contract: Contract) -> str | None:
    """The column that names the person of every row, where there is one."""
    demanded = {p.name for p in contract.properties if p.required}
    return next((name for name in person_columns(contract) if name in demanded), None)


def rows_of(contract: Contract, rows: pa.Table, persons: Collection[str]) -> pa.ChunkedArray:
    """For each row whether it is about one of some persons, given by their pseudonyms."""
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
    """The texts in a column, one a row: of a struct those of each field, of a list all of them joined."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield column
    elif pa.types.is_struct(kind):
        for i in range(kind.num_fields):
            yield from _texts_by_row(pc.struct_field(column, i))
    elif pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        yield pc.binary_join(column, "\n")
