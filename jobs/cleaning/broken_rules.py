"""The rules of the contract and of the source that each candidate breaks, one reason for each cause."""

import polars as pl

from jobs.cleaning.reject_reasons import LineReason
from schemas.contract import Contract
from schemas.rules import RowRuleKind, to_polars
from schemas.source import Source
from schemas.source_parts import Column

NUMBERS = {"value": pl.Float64(), "propensity": pl.Float64(), "position": pl.Int32()}
AGENT = "agent"
EVENT_TIME, EVENT_TYPE = "event_time", "event_type"
SKIP = "skip."
"""Prefix of a `skip` rule's name: the field that the rule reads."""


def set_aside_by_rule(raw: pl.DataFrame, source: Source) -> pl.DataFrame:
    """For each rule of the source on whole lines (`skip` rules, bots), which lines it excludes."""
    found = {}
    for name, rule in source.skip.items():
        text = raw[f"{SKIP}{name}"].cast(pl.String)
        if rule.missing:
            hit = text.is_null()
        elif rule.unless is not None:
            hit = ~text.str.contains(rule.unless).fill_null(False)
        else:
            hit = text.str.contains(str(rule.pattern)).fill_null(False)
        found[f"{LineReason.SKIPPED}.{name}"] = hit
    if source.robots is not None:
        declared = raw[AGENT].cast(pl.String).str.contains(source.robots.pattern)
        found[str(LineReason.ROBOT_DECLARED)] = declared.fill_null(False)
    return pl.DataFrame(found)


def broken_rules(
    frame: pl.DataFrame,
    raw: pl.DataFrame,
    why_no_time: pl.Series | None,
    set_aside: pl.DataFrame,
    source: Source,
    events: Contract,
) -> pl.DataFrame:
    """For every rule of the contract and of the source, which candidates break it, faults that follow from others left out.

    Rules do not apply to lines with a problem. Only its `skip` rules apply to a line that one of them excludes.
    """
    readable = raw["problem"].is_null()
    skips = [name for name in set_aside.columns if name.startswith(f"{LineReason.SKIPPED}.")]
    judged = readable & ~set_aside.select(pl.any_horizontal(skips)).to_series() if skips else readable
    found = {rule.id: frame.select(to_polars(rule)).to_series() for rule in events.rules}
    for name, column in source.columns.items():
        lost = raw[name].is_not_null() & frame[name].is_null()
        if name in NUMBERS:
            found[f"{name}.{LineReason.UNREADABLE}"] = lost
        if name == EVENT_TIME and why_no_time is not None:
            found |= {
                f"{name}.{why}": (why_no_time == why).fill_null(False) for why in why_no_time.drop_nulls().unique().sort()
            }
        if name == EVENT_TYPE:
            found[f"{name}.{LineReason.UNKNOWN}"] = lost
        found |= outside_of_bounds(frame[name], column)
    found = _first_of_each_cause(found, source, events)
    found |= {name: set_aside[name] for name in set_aside.columns}
    return pl.DataFrame([(hit & (readable if name in skips else judged)).alias(name) for name, hit in found.items()])


def outside_of_bounds(values: pl.Series, column: Column) -> dict[str, pl.Series]:
    """Which values are outside of the bounds that the source gives its column, by reason; nothing without bounds.

    Args:
        values: the column.
        column: its mapping.
    """
    if column.minimum is None and column.maximum is None:
        return {}
    low = float("-inf") if column.minimum is None else column.minimum
    high = float("inf") if column.maximum is None else column.maximum
    return {f"{values.name}.{LineReason.SOURCE_RANGE}": (~values.is_between(low, high)).fill_null(False)}


def _first_of_each_cause(found: dict[str, pl.Series], source: Source, events: Contract) -> dict[str, pl.Series]:
    """One reason for one fault: a value that cannot be read is not also missing, and a wrong time is not also late.

    The audit expects the same of ``rejects``, see :func:`schemas.publishing.validator.unexplained`.
    """
    of_rules = {rule.id for rule in events.rules}
    for column in source.columns:
        columns = events.together(column)
        unread = [f"{column}.{LineReason.UNREADABLE}", f"{column}.{LineReason.UNKNOWN}"]
        of_column = [name for name in found if name.startswith(f"{column}.") and name not in of_rules]
        causes = of_column if column == EVENT_TIME else [name for name in unread if name in found]
        rules = [f"{column}.{RowRuleKind.REQUIRED}"]
        if len(columns) > 1:
            rules = [name for one in columns for name in found if name in of_rules and name.startswith(f"{one}.")]
        chain = [*causes, *(name for name in rules if name in found)]
        seen = pl.Series([False])
        for name in chain:
            found[name], seen = found[name] & ~seen, found[name] | seen
    return found


def not_exact_reasons(rounded: dict[str, pl.Series], sound: pl.Series, broken: pl.DataFrame) -> dict[str, pl.Series]:
    """The reasons of ids that are rounded numbers; such an id is not also missing."""
    found = {f"{name}.{LineReason.NOT_EXACT}": flags & sound for name, flags in rounded.items()}
    missing = {f"{name}.{RowRuleKind.REQUIRED}": flags for name, flags in rounded.items()}
    return {**{rule: broken[rule] & ~flags for rule, flags in missing.items() if rule in broken.columns}, **found}
