"""Filters on a table's columns, for reading from the lake: the few that are needed, typed."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from pyiceberg.expressions import And, BooleanExpression, EqualTo, GreaterThanOrEqual, In, LessThanOrEqual


def _literal(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def equals(column: str, value: Any) -> BooleanExpression:
    return EqualTo(column, _literal(value))  # type: ignore[call-arg]


def one_of(column: str, values: Iterable[Any]) -> BooleanExpression:
    return In(column, [_literal(value) for value in values])  # type: ignore[call-arg]


def at_most(column: str, value: Any) -> BooleanExpression:
    return LessThanOrEqual(column, _literal(value))  # type: ignore[call-arg]


def both(one: BooleanExpression, other: BooleanExpression) -> BooleanExpression:
    return And(one, other)


def between(column: str, low: Any, high: Any) -> BooleanExpression:
    """Both ends included."""
    return And(GreaterThanOrEqual(column, _literal(low)), at_most(column, high))  # type: ignore[call-arg]
