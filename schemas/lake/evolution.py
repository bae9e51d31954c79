"""How a table follows its contract: columns are added and widened; what would break a reader is refused.

A contract carries a version, MAJOR.MINOR.PATCH, and a table remembers the newest that rows were published under. Of one major
version, producers and consumers may differ in the minor: an older producer leaves the newer columns empty, an older consumer
does not ask for them. Another major version is another table: nothing here moves rows from one to the other.

``python -m schemas.lake.schema_changes`` says for each table of the lake what its next publish would change, or why
it would be refused.
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
"""The table property that remembers the newest contract version."""


class Kind(StrEnum):
    """What became of a column, from a table to a contract."""

    ADDED = "added"
    WIDENED = "widened"
    GONE = "gone"
    NARROWED = "narrowed"
    RETYPED = "retyped"


FITTING = {Kind.ADDED, Kind.WIDENED}
"""What a newer minor version may do. An older one looks the other way round: columns gone, or narrower."""
SEEN_FROM_BEHIND = {Kind.GONE, Kind.NARROWED}


@dataclass(frozen=True)
class Change:
    """One difference. ``column`` is a path; ``held`` and ``wanted`` are types of the table and of the contract."""

    kind: Kind
    column: str
    held: IcebergType | None
    wanted: IcebergType | None

    def __str__(self) -> str:
        types = f" ({self.held} to {self.wanted})" if self.held and self.wanted and self.held.is_primitive else ""
        return f"{self.column} {self.kind}{types}"


def version_of(table: Table) -> Version | None:
    """The newest contract version that a table remembers, or None for a table from before there were any."""
    known = table.properties.get(VERSION)
    return None if known is None else Version(known)


def check_major(table: Table, contract: Contract) -> None:
    """Refuse to read or to publish under another major version.

    Raises:
        ConfigError: it is another.
    """
    known = version_of(table)
    if known is not None and known.major != contract.version.major:
        raise ConfigError(
            f"table {contract.name} is of contract version {known}, and this code knows {contract.version}; in the lake; "
            f"run the code of major version {known.major}, or {_NEW_TABLE}"
        )


def changes(table: Table, contract: Contract) -> list[Change]:
    """What differs from the table to the contract, column by column."""
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
    """What has to change in a table before rows of a contract can be published to it; nothing for an older contract.

    Raises:
        ConfigError: the contract breaks readers of the table; the message says how, and the way out.
    """
    check_major(table, contract)
    known, found = version_of(table), changes(table, contract)
    where = f"table {contract.name}, contract version {known or 'unknown'} to {contract.version}"
    if (parts := [field.name for field in table.spec().fields]) != contract.partition_by:
        raise ConfigError(
            f"the partition changes from {', '.join(parts)} to {', '.join(contract.partition_by)}, and files lie by that; "
            f"in {where}; leave it, or {_NEW_TABLE}"
        )
    if known is not None and contract.version < known:
        if odd := [change for change in found if change.kind not in SEEN_FROM_BEHIND]:
            raise ConfigError(f"{_listed(odd)}, though the contract is the older one; in {where}; {_CORRECT}")
        return []
    if broken := [change for change in found if change.kind not in FITTING]:
        raise ConfigError(f"{_reason(broken, found)}; in {where}; {_way_out(broken, found)}")
    if found and contract.version == known:
        raise ConfigError(f"{_listed(found)} under the same version; in {where}; raise the contract's minor version")
    if empty := _without_a_value(table, contract, found):
        raise ConfigError(
            f"{', '.join(empty)} must be there, and the rows that are there lack it; in {where}; give it a default, "
            "or leave it optional, publish the old days again, and require it in a later version"
        )
    return found


_NEW_TABLE = "give the new contract a table of another name, fill that by running its days again, and move its readers over"
_CORRECT = "two contracts were made from one: bring them together under a newer version"


def _listed(found: Sequence[Change]) -> str:
    return ", ".join(map(str, found))


def _reason(broken: Sequence[Change], found: Sequence[Change]) -> str:
    why = {
        Kind.GONE: "readers of another version still ask for it",
        Kind.NARROWED: "values that are there would not fit",
        Kind.RETYPED: "files that are there hold the old type",
    }
    if renamed := _renamed(found):
        old, new = renamed
        return f"{old} is gone and {new} is new, as in a rename: files that are there would read as null under the new name"
    return "; ".join(f"{change}: {why[change.kind]}" for change in broken)


def _way_out(broken: Sequence[Change], found: Sequence[Change]) -> str:
    if renamed := _renamed(found):
        old, new = renamed
        return f"keep {old} and add {new} beside it, and let the job fill both, or {_NEW_TABLE}"
    if all(change.kind is Kind.GONE for change in broken):
        return f"keep it and leave it null from now on, or {_NEW_TABLE}"
    return f"leave its type and add a column of another name beside it, or {_NEW_TABLE}"


def _renamed(found: Sequence[Change]) -> tuple[str, str] | None:
    gone = [change for change in found if change.kind is Kind.GONE]
    added = [change for change in found if change.kind is Kind.ADDED]
    if len(gone) == 1 and len(added) == 1 and str(gone[0].held) == str(added[0].wanted):
        return gone[0].column, added[0].column
    return None


def _without_a_value(table: Table, contract: Contract, found: Sequence[Change]) -> list[str]:
    """New columns that must be there, in a table that holds rows, without a default for those."""
    current = table.current_snapshot()
    rows = 0 if current is None or current.summary is None else int(current.summary.get("total-records") or 0)
    added = {change.column for change in found if change.kind is Kind.ADDED}
    required = {str(p.name) for p in contract.properties if p.required}
    return sorted((added & required) - contract.defaults.keys()) if rows else []


def evolve(transaction: Transaction, table: Table, contract: Contract) -> None:
    """Bring a table to a contract, as a part of the transaction that publishes rows of it.

    Raises:
        ConfigError: as :func:`needed` does.
    """
    if needed(table, contract):
        with transaction.update_schema() as update:
            update.union_by_name(contract.arrow_schema)
    known = version_of(table)
    if known is None or contract.version > known:
        transaction.set_properties({VERSION: str(contract.version)})
