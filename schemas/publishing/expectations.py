"""Expectations of Great Expectations for a contract: one per rule, made from the same :class:`~schemas.rules.RowRule`."""

from copy import copy
from typing import Any

import great_expectations.expectations as gxe
from great_expectations import ExpectationSuite
from great_expectations.expectations.expectation import Expectation

from schemas.contract import Contract
from schemas.rules import RowRule, RowRuleKind, TableRule
from schemas.runtime.errors import ConfigError


def row_expectations(contract: Contract) -> list[Expectation]:
    """One expectation for each row rule of a contract, in the same order."""
    return [_for_row_rule(rule) for rule in contract.rules]


def columns_expectation(contract: Contract) -> Expectation:
    """Expect exactly the columns of the contract."""
    return gxe.ExpectTableColumnsToMatchSet(column_set=contract.columns, exact_match=True, meta={"rule": "table.columns"})


def suite(name: str, expectations: list[Expectation]) -> ExpectationSuite:
    """Make a suite from copies of expectations, as an expectation can belong to only one suite.

    Args:
        name: name of the suite.
        expectations: the expectations.
    """
    return ExpectationSuite(name=name, expectations=[copy(expectation) for expectation in expectations])


def _for_row_rule(rule: RowRule) -> Expectation:
    common: dict[str, Any] = {"column": rule.column, "meta": {"rule": rule.id}, "notes": rule.why}
    match rule.kind:
        case RowRuleKind.REQUIRED:
            return gxe.ExpectColumnValuesToNotBeNull(**common)
        case RowRuleKind.ALLOWED:
            return gxe.ExpectColumnValuesToBeInSet(value_set=list(rule.allowed), **common)
        case RowRuleKind.RANGE:
            return gxe.ExpectColumnValuesToBeBetween(min_value=rule.low, max_value=rule.high, **common)
        case RowRuleKind.PATTERN:
            return gxe.ExpectColumnValuesToMatchRegex(regex=rule.pattern, **common)
        case RowRuleKind.LENGTH:
            return gxe.ExpectColumnValueLengthsToBeBetween(min_value=rule.low, max_value=rule.high, **common)
        case RowRuleKind.NOT_BEFORE:
            return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A=rule.column,
                column_B=rule.other,
                or_equal=True,
                ignore_row_if="either_value_is_missing",
                meta={"rule": rule.id},
                notes=rule.why,
            )


def unique_expectation(rule: TableRule) -> Expectation:
    """Expect that no two rows have the same key."""
    meta = {"rule": rule.id}
    if len(rule.columns) == 1:
        return gxe.ExpectColumnValuesToBeUnique(column=rule.columns[0], meta=meta)
    return gxe.ExpectCompoundColumnsToBeUnique(column_list=list(rule.columns), meta=meta)


def count_expectation(rule: TableRule, figures: dict[str, Any], counted_in: str | None = None) -> Expectation:
    """Expect a number of rows within bounds.

    Args:
        rule: the table rule.
        figures: the figures that the job noted, such as ``records``; percentages refer to them.
        counted_in: a column whose sum is the number of rows, if the audited rows are a list of files.
    """
    scale = _figure(rule.percent_of, rule, figures) / 100 if rule.percent_of is not None else 1.0
    besides = int(_figure(rule.besides, rule, figures)) if rule.besides is not None else 0
    low = None if rule.low is None else -int(-rule.low * scale // 1) + besides
    high = None if rule.high is None else int(rule.high * scale // 1) + besides
    meta = {"rule": rule.id}
    if counted_in is None:
        return gxe.ExpectTableRowCountToBeBetween(min_value=low, max_value=high, meta=meta)
    return gxe.ExpectColumnSumToBeBetween(column=counted_in, min_value=low, max_value=high, meta=meta)


def _figure(name: str, rule: TableRule, figures: dict[str, Any]) -> float:
    if name not in figures:
        raise ConfigError(f"figure {name!r} is missing; required by rule {rule.id}; note it in the job")
    return float(figures[name])
