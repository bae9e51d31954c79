"""The rules of a contract on rows and on whole tables, as data, independent of any engine.

Only ``to_polars`` and ``schemas.publishing.expectations`` translate rules, so the quarantine (Polars) and the audit (Great
Expectations) check the same rules. In both, a null violates ``required`` and no other rule.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl


class RowRuleKind(StrEnum):
    """The kinds of row rules."""

    REQUIRED = "required"
    ALLOWED = "allowed"
    RANGE = "range"
    PATTERN = "pattern"
    LENGTH = "length"
    NOT_BEFORE = "not_before"


@dataclass(frozen=True)
class RowRule:
    """A condition that each row must meet.

    ``low`` and ``high`` are inclusive; for ``LENGTH`` they count characters. ``why`` is the column's description.

    >>> rule = RowRule(RowRuleKind.RANGE, "position", "rank in the list", low=1, high=100)
    >>> rule.id, rule.sentence
    ('position.range', 'position must be at least 1 and at most 100')
    """

    kind: RowRuleKind
    column: str
    why: str
    allowed: tuple[Any, ...] = ()
    low: Any = None
    high: Any = None
    pattern: str | None = None
    other: str | None = None

    @property
    def id(self) -> str:
        """The rule's id, and the reject reason of rows that violate it, such as ``event_time.required``."""
        return f"{self.column}.{self.kind}"

    @property
    def sentence(self) -> str:
        """The rule as a sentence."""
        match self.kind:
            case RowRuleKind.REQUIRED:
                demand = "must not be null"
            case RowRuleKind.ALLOWED:
                demand = f"must be one of {', '.join(map(str, self.allowed))}"
            case RowRuleKind.PATTERN:
                demand = f"must match {self.pattern}"
            case RowRuleKind.NOT_BEFORE:
                demand = f"must not be before {self.other}"
            case RowRuleKind.RANGE | RowRuleKind.LENGTH:
                ends = [f"at least {_text(self.low)}"] if self.low is not None else []
                ends += [f"at most {_text(self.high)}"] if self.high is not None else []
                unit = " characters long" if self.kind is RowRuleKind.LENGTH else ""
                demand = f"must be {' and '.join(ends)}{unit}"
        return f"{self.column} {demand}"


class TableRuleKind(StrEnum):
    """The kinds of table rules."""

    UNIQUE = "unique"
    ROW_COUNT = "row_count"


@dataclass(frozen=True)
class TableRule:
    """A condition that all staged rows of a table must meet together.

    Both ``percent_of`` and ``besides`` name a figure that the job noted, such as ``records``. With ``percent_of``, the
    bounds are percentages of that figure. The rows counted by ``besides`` are not included.

    >>> rule = TableRule(TableRuleKind.ROW_COUNT, high=20, percent_of="records", besides="set_aside")
    >>> rule.sentence
    'the number of rows must be at most 20 % of records, set_aside not counted'
    """

    kind: TableRuleKind
    columns: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    percent_of: str | None = None
    besides: str | None = None
    severity: str = "error"

    @property
    def id(self) -> str:
        if self.kind is TableRuleKind.UNIQUE:
            return f"{'+'.join(self.columns)}.{self.kind}"
        return f"table.{self.kind}"

    @property
    def sentence(self) -> str:
        if self.kind is TableRuleKind.UNIQUE:
            return f"{', '.join(self.columns)} together must be unique"
        unit = f" % of {self.percent_of}" if self.percent_of else ""
        ends = [f"at least {self.low:g}{unit}"] if self.low is not None else []
        ends += [f"at most {self.high:g}{unit}"] if self.high is not None else []
        besides = f", {self.besides} not counted" if self.besides else ""
        return f"the number of rows must be {' and '.join(ends)}{besides}"


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else f"{value}"


def to_polars(rule: RowRule) -> "pl.Expr":
    """A Boolean expression that is true where a row violates the rule. It is never null.

    >>> import polars as pl
    >>> rule = RowRule(RowRuleKind.RANGE, "n", "a count", low=0)
    >>> pl.DataFrame({"n": [-1, 2, None]}).select(to_polars(rule))["n"].to_list()
    [True, False, False]
    """
    import polars as pl

    column = pl.col(rule.column)
    match rule.kind:
        case RowRuleKind.REQUIRED:
            return column.is_null()
        case RowRuleKind.ALLOWED:
            broken = ~column.is_in(list(rule.allowed))
        case RowRuleKind.PATTERN:
            broken = ~column.cast(pl.String).str.contains(str(rule.pattern))
        case RowRuleKind.NOT_BEFORE:
            broken = column < pl.col(str(rule.other))
        case RowRuleKind.LENGTH:
            broken = _outside(column.cast(pl.String).str.len_chars(), rule)
        case RowRuleKind.RANGE:
            broken = _outside(column, rule)
    return broken.fill_null(False)


def _outside(column: "pl.Expr", rule: RowRule) -> "pl.Expr":
    import polars as pl

    too_low = column < pl.lit(rule.low) if rule.low is not None else pl.lit(False)
    too_high = column > pl.lit(rule.high) if rule.high is not None else pl.lit(False)
    return too_low | too_high
