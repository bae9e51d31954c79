"""A table's contract, read from its YAML in the Open Data Contract Standard (v3, Linux Foundation's Bitol).

The YAML file is the only definition of a table. It yields the Arrow schema (and from that the Iceberg and Spark schemas), the
row rules, the table rules, the keys and the personal-data classes. ``python -m schemas.contract`` prints all rules.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import yaml
from open_data_contract_standard.model import (
    DataQuality,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)
from packaging.version import InvalidVersion, Version
from pydantic import ValidationError

from schemas.rules import RowRule, RowRuleKind, TableRule, TableRuleKind
from schemas.runtime.errors import ConfigError
from schemas.types import arrow_type

if TYPE_CHECKING:
    import polars as pl
    from pyspark.sql.types import StructType

CONTRACTS = Path(__file__).parent / "contracts"
SUFFIX = ".odcs.yaml"
CLASSES = ("none", "pseudonym", "personal")
SAME_ROW_AS = "sameRowAs"
MADE_BY = "madeBy"
FOLLOWS_FROM = "followsFrom"
"""Custom property of a column: the column from which it is computed."""
DEFAULT = "default"


@dataclass(frozen=True)
class Contract:
    """The definition of one table. Use :func:`load_contract` or :func:`parse_contract` to make one."""

    odcs: OpenDataContractStandard
    table: SchemaObject
    folder: Path

    @property
    def name(self) -> str:
        return str(self.table.name)

    @property
    def version(self) -> Version:
        """MAJOR.MINOR.PATCH. Readers can read rows of any minor version that has the same major version."""
        return Version(str(self.odcs.version))

    @property
    def description(self) -> str:
        return " ".join((self.table.description or "").split())

    @property
    def properties(self) -> list[SchemaProperty]:
        return self.table.properties or []

    @property
    def columns(self) -> list[str]:
        return [str(p.name) for p in self.properties]

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """All columns in the contract's order. All are nullable: the row rules, not the schema, check required columns."""
        return pa.schema([pa.field(str(p.name), self._arrow_type(p)) for p in self.properties])

    def _arrow_type(self, prop: SchemaProperty) -> pa.DataType:
        if prop.physicalType == "struct":
            other = custom(prop, SAME_ROW_AS)
            return pa.struct(list(load_contract(str(other), self.folder).arrow_schema))
        return arrow_type(str(prop.physicalType))

    @cached_property
    def spark_schema(self) -> "StructType":
        from pyspark.sql.pandas.types import from_arrow_schema

        return from_arrow_schema(self.arrow_schema)

    @cached_property
    def polars_schema(self) -> "pl.Schema":
        import polars as pl

        return pl.DataFrame(self.arrow_schema.empty_table()).schema

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The default value by column; it replaces the nulls of rows that are older than the column.

        Only a required column may have a default, so its nulls can only come from older rows.
        """
        return {str(p.name): value for p in self.properties if (value := custom(p, DEFAULT)) is not None}

    @property
    def mappable(self) -> set[str]:
        """The columns that a source may map; a job makes the others itself."""
        return {str(p.name) for p in self.properties if custom(p, MADE_BY) is None}

    def together(self, column: str) -> list[str]:
        """The column and those computed from it or with it, the original first. Of their broken rules the first is the reason.

        >>> load_contract("events").together("lag_seconds"), load_contract("events").together("value")
        (['event_time', 'event_date', 'lag_seconds', 'days_late'], ['value'])
        """
        origin = {str(p.name): str(custom(p, FOLLOWS_FROM) or p.name) for p in self.properties}
        root = origin.get(column, column)
        return [root, *(name for name, of in origin.items() if of == root and name != root)]

    @property
    def quarantine(self) -> str | None:
        """The table of the candidates that break a row rule of this one."""
        return self._other_table("quarantine")

    @property
    def landing_files(self) -> str | None:
        """The table that records the landing files of this one's rows."""
        return self._other_table("landingFiles")

    @property
    def traced_through(self) -> str | None:
        """The table that lineage follows instead of this one; the same run made both."""
        return self._other_table("tracedThrough")

    def _other_table(self, relation: str) -> str | None:
        name = custom(self.table, relation)
        return None if name is None else str(name)

    @property
    def primary_key(self) -> list[str]:
        keys = [p for p in self.properties if p.primaryKey]
        return [str(p.name) for p in sorted(keys, key=lambda p: p.primaryKeyPosition or 0)]

    @property
    def partition_by(self) -> list[str]:
        parts = [p for p in self.properties if p.partitioned]
        return [str(p.name) for p in sorted(parts, key=lambda p: p.partitionKeyPosition or 0)]

    @property
    def personal(self) -> dict[str, str]:
        """Personal-data class of each column: none, pseudonym or personal."""
        return {str(p.name): str(p.classification) for p in self.properties}

    @property
    def retention_days(self) -> int | None:
        for sla in self.odcs.slaProperties or []:
            if sla.property == "retention" and isinstance(sla.value, int):
                return sla.value
        return None

    @cached_property
    def rules(self) -> list[RowRule]:
        """The row rules, in the order of the columns."""
        rules = [rule for prop in self.properties for rule in _column_rules(prop)]
        return rules + [_pair_rule(q) for q in self.table.quality or [] if q.type == "custom"]

    @cached_property
    def table_rules(self) -> list[TableRule]:
        """The rules on all staged rows together. The first is the uniqueness of the primary key."""
        rules = [TableRule(TableRuleKind.UNIQUE, tuple(self.primary_key))] if self.primary_key else []
        return rules + [_table_rule(q) for q in self.table.quality or [] if q.type != "custom"]

    @property
    def sentences(self) -> dict[str, str]:
        """Every rule as a sentence, by rule id."""
        of_rows = {rule.id: rule.sentence for rule in self.rules}
        return {**of_rows, **{rule.id: rule.sentence for rule in self.table_rules}}


def custom(prop: SchemaProperty | SchemaObject, name: str) -> Any:
    """The value of a custom property, or None.

    Args:
        prop: a column of a contract, or its table.
        name: name of the custom property, such as ``default``.
    """
    return next((c.value for c in prop.customProperties or [] if c.property == name), None)


def _column_rules(prop: SchemaProperty) -> Iterator[RowRule]:
    name, why = str(prop.name), prop.description or ""
    options = dict(prop.logicalTypeOptions or {})
    low, high = options.pop("minimum", None), options.pop("maximum", None)
    shortest, longest = options.pop("minLength", None), options.pop("maxLength", None)
    pattern = options.pop("pattern", None)
    if options:
        raise ConfigError(f"unknown logicalTypeOptions {sorted(options)} of {name}; in its contract; remove them")
    if prop.required:
        yield RowRule(RowRuleKind.REQUIRED, name, why)
    if prop.enum:
        yield RowRule(RowRuleKind.ALLOWED, name, why, allowed=tuple(e.value for e in prop.enum))
    if (low, high) != (None, None):
        yield RowRule(RowRuleKind.RANGE, name, why, low=_bound(low, prop), high=_bound(high, prop))
    if pattern is not None:
        if not (pattern.startswith("^") and pattern.endswith("$")):
            raise ConfigError(
                f"pattern {pattern!r} of {name}; in its contract; anchor it with ^ and $ (engines differ otherwise)"
            )
        yield RowRule(RowRuleKind.PATTERN, name, why, pattern=pattern)
    if (shortest, longest) != (None, None):
        yield RowRule(RowRuleKind.LENGTH, name, why, low=shortest, high=longest)


def _bound(value: Any, prop: SchemaProperty) -> Any:
    if value is None or prop.physicalType != "timestamp":
        return value
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment.astimezone(UTC)


def _pair_rule(quality: DataQuality) -> RowRule:
    what = quality.implementation
    if quality.engine != "clickwright" or not isinstance(what, dict) or list(what) != ["notBefore"]:
        raise ConfigError("unknown custom quality rule; in a contract; use engine clickwright with notBefore: [column, other]")
    column, other = what["notBefore"]
    return RowRule(RowRuleKind.NOT_BEFORE, column, quality.description or "", other=other)


def _table_rule(quality: DataQuality) -> TableRule:
    severity = quality.severity or "error"
    if quality.metric == "duplicateValues" and quality.mustBe == 0:
        return TableRule(TableRuleKind.UNIQUE, tuple((quality.arguments or {})["properties"]), severity=severity)
    if quality.metric == "rowCount":
        low, high = quality.mustBeGreaterOrEqualTo, quality.mustBeLessOrEqualTo
        arguments = quality.arguments or {}
        percent_of, besides = arguments["of"] if quality.unit == "percent" else None, arguments.get("besides")
        return TableRule(TableRuleKind.ROW_COUNT, (), low, high, percent_of, besides, severity)
    raise ConfigError(f"unknown quality metric {quality.metric!r}; in a contract; use duplicateValues (mustBe: 0) or rowCount")


@lru_cache(maxsize=256)
def parse_contract(text: str, folder: Path | None = None) -> Contract:
    """Parse a contract from its YAML text.

    Args:
        text: the YAML.
        folder: folder of the contracts that it refers to; default: the project's contracts.

    Raises:
        ConfigError: the text is not a contract of one table, or a column lacks its type or its personal-data class.
    """
    try:
        odcs = OpenDataContractStandard.model_validate(yaml.safe_load(text), extra="forbid")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"contract is not valid: {first['msg']}; at {where}; correct it, then run `python -m schemas.contract`"
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"contract is not valid YAML: {error}; correct it, then run `python -m schemas.contract`") from None
    if len(odcs.schema_ or []) != 1:
        raise ConfigError(f"contract {odcs.id} must hold one table; under schema; split it")
    contract = Contract(odcs, (odcs.schema_ or [])[0], folder or CONTRACTS)
    _check_version(contract)
    for prop in contract.properties:
        if not prop.physicalType or prop.classification not in CLASSES:
            raise ConfigError(
                f"column {prop.name} needs a physicalType and a classification; in the contract of {contract.name}; "
                f"add them (classification: one of {', '.join(CLASSES)})"
            )
        if str(prop.name) in contract.defaults:
            _check_default(contract, prop)
    return contract


def _check_version(contract: Contract) -> None:
    try:
        parts = len(contract.version.release)
    except InvalidVersion:
        parts = 0
    if parts != 3:
        raise ConfigError(
            f"version {contract.odcs.version!r} is not MAJOR.MINOR.PATCH; in the contract of {contract.name}; write e.g. 1.0.0"
        )


def _check_default(contract: Contract, prop: SchemaProperty) -> None:
    value, kind = contract.defaults[str(prop.name)], contract._arrow_type(prop)
    if not prop.required or prop.partitioned:
        raise ConfigError(
            f"column {prop.name} has a default but is optional or a partition column; in the contract of {contract.name}; "
            "make the column required, or remove the default"
        )
    try:
        pa.scalar(value, kind)
    except (pa.ArrowException, OverflowError):
        raise ConfigError(
            f"default {value!r} of {prop.name} is not of type {prop.physicalType}; "
            f"in the contract of {contract.name}; correct it, then run `python -m schemas.contract`"
        ) from None


def load_contract(name: str, folder: Path | None = None) -> Contract:
    """Load the contract of a table.

    Args:
        name: name of the table.
        folder: folder of the contracts; default: the project's contracts.

    Raises:
        ConfigError: the table has no contract, or the contract is not valid.

    >>> contract = load_contract("sessions")
    >>> contract.primary_key, contract.partition_by
    (['session_id'], ['closed_on'])
    """
    folder = folder or CONTRACTS
    path = folder / f"{name}{SUFFIX}"
    if not path.exists():
        raise ConfigError(f"no contract for table {name!r}; in {folder}; known are {', '.join(table_names(folder))}")
    return parse_contract(path.read_text(encoding="utf-8"), folder)


def table_names(folder: Path | None = None) -> list[str]:
    """The names of all tables that have a contract, sorted.

    >>> table_names()[:3]
    ['conflicts', 'creatives', 'events']
    """
    return sorted(path.name.removesuffix(SUFFIX) for path in (folder or CONTRACTS).glob(f"*{SUFFIX}"))


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Check all contracts and print their rules."""
    from schemas.runtime.cli import parser_of

    parser_of("Check all contracts and print their rules.", "python -m schemas.contract").parse_args(argv)
    contracts = [load_contract(name) for name in table_names()]
    return {c.name: c.sentences for c in contracts}


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
