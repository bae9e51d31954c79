"""The Great Expectations suite of a contract: one expectation a rule, made from the same :class:`~schemas.rules.RowRule`."""

from typing import Any

import great_expectations.expectations as gxe
from great_expectations import ExpectationSuite
from great_expectations.expectations.expectation import Expectation

from schemas.contract import Contract
from schemas.errors import ConfigError
from schemas.rules import RowRule, RowRuleKind, TableRule, TableRuleKind


def row_expectations(contract: Contract) -> list[Expectation]:
    """One expectation for each row rule, in their order."""
    return [_for_row_rule(rule) for rule in contract.rules]


def table_expectations(contract: Contract, figures: dict[str, Any]) -> list[Expectation]:
    """The columns, then one expectation for each table rule.

    Args:
        contract: the table's contract.
        figures: what the job noted, such as ``lines_read``, for the rules that are a percentage of it.
    """
    columns = gxe.ExpectTableColumnsToMatchSet(column_set=contract.columns, exact_match=True, meta={"rule": "table.columns"})
    return [columns, *(_for_table_rule(rule, figures) for rule in contract.table_rules)]


def suite(name: str, expectations: list[Expectation]) -> ExpectationSuite:
    return ExpectationSuite(name=name, expectations=expectations)


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


def _for_table_rule(rule: TableRule, figures: dict[str, Any]) -> Expectation:
    meta = {"rule": rule.id}
    if rule.kind is TableRuleKind.UNIQUE:
        if len(rule.columns) == 1:
            return gxe.ExpectColumnValuesToBeUnique(column=rule.columns[0], meta=meta)
        return gxe.ExpectCompoundColumnsToBeUnique(column_list=list(rule.columns), meta=meta)
    scale = _figure(rule.percent_of, rule, figures) / 100 if rule.percent_of is not None else 1.0
    besides = int(_figure(rule.besides, rule, figures)) if rule.besides is not None else 0
    low = None if rule.low is None else -int(-rule.low * scale // 1) + besides
    high = None if rule.high is None else int(rule.high * scale // 1) + besides
    return gxe.ExpectTableRowCountToBeBetween(min_value=low, max_value=high, meta=meta)


def _figure(name: str, rule: TableRule, figures: dict[str, Any]) -> float:
    if name not in figures:
        raise ConfigError(f"no figure {name!r} was noted; needed by rule {rule.id}; note it in the job")
    return float(figures[name])
