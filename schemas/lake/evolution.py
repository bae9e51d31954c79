"""Schema evolution: a table follows its contract. Columns are added and widened; breaking changes are refused.

A contract has a version MAJOR.MINOR.PATCH, and a table stores the newest version that rows were published with. Producers and
consumers of the same major version may differ in the minor version: an older producer leaves the newer columns null, and an
older consumer does not read them. A new major version needs a new table; nothing here migrates rows.

``python -m schemas.lake.schema_changes`` prints the schema changes of the next publish of each table, or why it is refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from packaging.version import Version
from pyiceberg.exceptions import ResolveError
from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids
from pyiceberg.schema import promote
from pyiceberg.table import Table, Transaction
from pyiceberg.types import IcebergType, ListType, MapType, StructType

from schemas.contract import Contract
from schemas.runtime.errors import ConfigError

VERSION = "clickwright.contract-version"
"""The table property that stores the newest contract version."""


class Kind(StrEnum):
    """The kinds of column changes from a table to a contract."""

    ADDED = "added"
    WIDENED = "widened"
    GONE = "gone"
    NARROWED = "narrowed"
    RETYPED = "retyped"


FITTING = {Kind.ADDED, Kind.WIDENED}
"""The changes that a newer minor version may make."""
SEEN_FROM_BEHIND = {Kind.GONE, Kind.NARROWED}
"""The same changes as an older minor version sees them."""


@dataclass(frozen=True)
class Change:
    """One schema difference. ``column`` is a path; ``held`` is the table's type and ``wanted`` is the contract's type.

    >>> from pyiceberg.types import IntegerType, LongType
    >>> str(Change(Kind.WIDENED, "n_events", IntegerType(), LongType()))
    'n_events widened (int to long)'
    """

    kind: Kind
    column: str
    held: IcebergType | None
    wanted: IcebergType | None

    def __str__(self) -> str:
        types = f" ({self.held} to {self.wanted})" if self.held and self.wanted and self.held.is_primitive else ""
        return f"{self.column} {self.kind}{types}"


def version_of(table: Table) -> Version | None:
    """The newest contract version stored in a table, or None if the table is older than contract versions."""
    known = table.properties.get(VERSION)
    return None if known is None else Version(known)


def check_major(table: Table, contract: Contract) -> None:
    """Refuse to read or publish a table of another major version.

    Args:
        table: the Iceberg table.
        contract: the contract that this code knows.

    Raises:
        ConfigError: the major versions differ.
    """
    known = version_of(table)
    if known is not None and known.major != contract.version.major:
        raise ConfigError(
            f"table {contract.name} has contract version {known}, but this code has {contract.version}; in the lake; "
            f"run the code of major version {known.major}, or {_NEW_TABLE}"
        )


def changes(table: Table, contract: Contract) -> list[Change]:
    """The schema differences from a table to a contract, column by column.

    Args:
        table: the Iceberg table.
        contract: the contract to compare with.
    """
    wanted = _pyarrow_to_schema_without_ids(contract.arrow_schema).as_struct()
    return list(_compare("", table.schema().as_struct(), wanted))


def _compare(path: str, held: IcebergType, wanted: IcebergType) -> Iterator[Change]:
    if isinstance(held, StructType) and isinstance(wanted, StructType):
        yield from _compare_fields(path, held, wanted)
    elif isinstance(held, ListType) and isinstance(wanted, ListType):
        yield from _compare(f"{path}.element", held.element_type, wanted.element_type)
    elif isinstance(held, MapType) and isinstance(wanted, MapType):
        yield from _compare(f"{path}.key", held.key_type, wanted.key_type)
        yield from _compare(f"{path}.value", held.value_type, wanted.value_type)
    elif held != wanted:
        kind = Kind.WIDENED if _promotes(held, wanted) else Kind.NARROWED if _promotes(wanted, held) else Kind.RETYPED
        yield Change(kind, path, held, wanted)


def _compare_fields(path: str, held: StructType, wanted: StructType) -> Iterator[Change]:
    before, after = ({field.name: field.field_type for field in struct.fields} for struct in (held, wanted))
    for name in [*before, *(name for name in after if name not in before)]:
        column = f"{path}.{name}".lstrip(".")
        if name not in after:
            yield Change(Kind.GONE, column, before[name], None)
        elif name not in before:
            yield Change(Kind.ADDED, column, None, after[name])
        else:
            yield from _compare(column, before[name], after[name])


def _promotes(narrow: IcebergType, wide: IcebergType) -> bool:
    try:
        promote(narrow, wide)
    except ResolveError:
        return False
    return True


def needed(table: Table, contract: Contract) -> list[Change]:
    """The schema changes that a table needs before rows of a contract can be published; none for an older contract.

    Args:
        table: the Iceberg table.
        contract: contract of the rows.

    Raises:
        ConfigError: the contract would break readers of the table. The message names the reason and the remedy.
    """
    check_major(table, contract)
    known, found = version_of(table), changes(table, contract)
    where = f"table {contract.name}, contract version {known or 'unknown'} to {contract.version}"
    if (parts := [field.name for field in table.spec().fields]) != contract.partition_by:
        raise ConfigError(
            f"the partition changes from {', '.join(parts)} to {', '.join(contract.partition_by)}, "
            "but existing files use the old one; "
            f"in {where}; keep the old partition, or {_NEW_TABLE}"
        )
    if known is not None and contract.version < known:
        if odd := [change for change in found if change.kind not in SEEN_FROM_BEHIND]:
            raise ConfigError(f"{_listed(odd)}, although the contract is older; in {where}; {_CORRECT}")
        return []
    if broken := [change for change in found if change.kind not in FITTING]:
        raise ConfigError(f"{_reason(broken, found)}; in {where}; {_way_out(broken, found)}")
    if found and contract.version == known:
        raise ConfigError(f"{_listed(found)} under the same version; in {where}; raise the contract's minor version")
    if empty := _without_a_value(table, contract, found):
        raise ConfigError(
            f"{', '.join(empty)} must not be null, but existing rows lack it; in {where}; give it a default, "
            "or make it optional, publish the old days again, and require it in a later version"
        )
    return found


_NEW_TABLE = "give the new contract a table with another name, fill it by running its days again, and move the readers over"
_CORRECT = "two contracts have diverged: merge them into a newer version"


def _listed(found: Sequence[Change]) -> str:
    return ", ".join(map(str, found))


def _reason(broken: Sequence[Change], found: Sequence[Change]) -> str:
    why = {
        Kind.GONE: "readers of other versions still need it",
        Kind.NARROWED: "existing values may not fit",
        Kind.RETYPED: "existing files have the old type",
    }
    if renamed := _renamed(found):
        old, new = renamed
        return f"{old} is gone and {new} is new, as in a rename: existing rows would have null under the new name"
    return "; ".join(f"{change}: {why[change.kind]}" for change in broken)


def _way_out(broken: Sequence[Change], found: Sequence[Change]) -> str:
    if renamed := _renamed(found):
        old, new = renamed
        return f"keep {old}, add {new} and let the job fill both, or {_NEW_TABLE}"
    if all(change.kind is Kind.GONE for change in broken):
        return f"keep the column and write nulls from now on, or {_NEW_TABLE}"
    return f"keep its type and add a column with another name, or {_NEW_TABLE}"


def _renamed(found: Sequence[Change]) -> tuple[str, str] | None:
    gone = [change for change in found if change.kind is Kind.GONE]
    added = [change for change in found if change.kind is Kind.ADDED]
    if len(gone) == 1 and len(added) == 1 and str(gone[0].held) == str(added[0].wanted):
        return gone[0].column, added[0].column
    return None


def _without_a_value(table: Table, contract: Contract, found: Sequence[Change]) -> list[str]:
    """New required columns without a default, if the table holds rows."""
    current = table.current_snapshot()
    rows = 0 if current is None or current.summary is None else int(current.summary.get("total-records") or 0)
    added = {change.column for change in found if change.kind is Kind.ADDED}
    required = {str(p.name) for p in contract.properties if p.required}
    return sorted((added & required) - contract.defaults.keys()) if rows else []


def evolve(transaction: Transaction, table: Table, contract: Contract) -> None:
    """Apply a contract's schema changes to a table, in the transaction that publishes rows.

    Args:
        transaction: the open transaction of the publish.
        table: the Iceberg table.
        contract: contract of the rows.

    Raises:
        ConfigError: the contract would break readers, see :func:`needed`.
    """
    if needed(table, contract):
        with transaction.update_schema() as update:
            update.union_by_name(contract.arrow_schema)
    known = version_of(table)
    if known is None or contract.version > known:
        transaction.set_properties({VERSION: str(contract.version)})
