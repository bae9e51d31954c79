"""Typed filters on a table's columns, for reads from the lake. Dates become ISO strings."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from pyiceberg.expressions import And, BooleanExpression, EqualTo, GreaterThanOrEqual, In, LessThanOrEqual


def _literal(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def equals(column: str, value: Any) -> BooleanExpression:
    """Rows whose column equals a value.

    >>> equals("closed_on", date(2026, 11, 20))
    EqualTo(term=Reference(name='closed_on'), literal=literal('2026-11-20'))
    """
    return EqualTo(column, _literal(value))  # type: ignore[call-arg]


def one_of(column: str, values: Iterable[Any]) -> BooleanExpression:
    """Rows whose column equals one of some values."""
    return In(column, [_literal(value) for value in values])  # type: ignore[call-arg]


def at_most(column: str, value: Any) -> BooleanExpression:
    """Rows whose column is less than or equal to a value."""
    return LessThanOrEqual(column, _literal(value))  # type: ignore[call-arg]


def both(one: BooleanExpression, other: BooleanExpression) -> BooleanExpression:
    """Rows that pass both filters."""
    return And(one, other)


def between(column: str, low: Any, high: Any) -> BooleanExpression:
    """Rows whose column lies in a range.

    Args:
        column: name of the column.
        low: least value, included.
        high: greatest value, included.

    >>> between("rank", 1, 3)
    And(left=GreaterThanOrEqual(term=Reference(name='rank'), literal=LongLiteral(1)),
        right=LessThanOrEqual(term=Reference(name='rank'), literal=LongLiteral(3)))
    """
    return And(GreaterThanOrEqual(column, _literal(low)), at_most(column, high))  # type: ignore[call-arg]
