"""Rejected candidates: their reasons, and the part of their lines that may be kept."""

from typing import Any

import orjson
import polars as pl

from jobs.cleaning.reject_reasons import LineReason
from jobs.landing.readers import Problem
from jobs.landing.readers.frames import ELEMENT
from jobs.landing.readers.json_values import quick
from schemas.contract import Contract
from schemas.rules import RowRuleKind
from schemas.source import Source

EXCERPT = 200
LONGEST_MASKED_LINE = 4000


def rejected_rows(
    frame: pl.DataFrame, raw: pl.DataFrame, broken: pl.DataFrame, is_rejected: pl.Series, shown: list[str]
) -> pl.DataFrame:
    """The rejected candidates with every reason; an unreadable line gets only its problem and the shape of its text."""
    lines, why = raw.filter(is_rejected), broken.filter(is_rejected)
    of_rules = pl.concat_list([pl.when(pl.col(reason)).then(pl.lit(reason)) for reason in why.columns]).list.drop_nulls()
    reasons = why.select(of_rules.alias("reasons")).to_series()
    problem = lines["problem"]
    masked = pl.Series(
        [
            text if unread is None else _excerpt(unread, line)
            for text, unread, line in zip(masked_lines(lines, shown), problem, lines["line"], strict=True)
        ],
        dtype=pl.String,
    )
    return frame.filter(is_rejected).with_columns(
        reasons=pl.when(problem.is_not_null()).then(pl.concat_list(problem)).otherwise(reasons),
        masked_line=masked,
        readable=problem.is_null() & ~reasons.list.first().str.starts_with(f"{LineReason.SKIPPED}.").fill_null(False),
    )


def without_private(rejected: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Rejected candidates; those that a private `skip` rule excludes show nothing of their line."""
    private = [f"{LineReason.SKIPPED}.{name}" for name, rule in source.skip.items() if rule.private]
    if not private:
        return rejected
    hit = pl.col("reasons").list.eval(pl.element().is_in(private)).list.any()
    return rejected.with_columns(masked_line=pl.when(~hit).then("masked_line"))


def with_short_texts(rejected: pl.DataFrame, events: Contract) -> pl.DataFrame:
    """Rejected candidates with every text cut to one character more than its column allows: it still breaks the rule."""
    longest = {rule.column: rule.high for rule in events.rules if rule.kind is RowRuleKind.LENGTH and rule.high is not None}
    texts = [name for name, kind in events.polars_schema.items() if kind == pl.String and name in events.mappable]
    return rejected.with_columns(pl.col(name).str.slice(0, longest.get(name, EXCERPT) + 1) for name in texts)


def masked_lines(rows: pl.DataFrame, fields: list[str]) -> pl.Series:
    """The fields of each row as a JSON object, without nulls.

    Args:
        rows: candidates.
        fields: the columns to show.

    >>> masked_lines(pl.DataFrame({"item_id": ["7", None], "value": [3.5, 4.0]}), ["item_id", "value"]).to_list()
    ['{"item_id":"7","value":3.5}', '{"value":4.0}']
    """
    return pl.Series([_as_json(row) for row in rows.select(fields).iter_rows(named=True)], dtype=pl.String)


def shown_fields(source: Source, events: Contract) -> list[str]:
    """The mapped columns that a reject may show: those without personal text.

    Args:
        source: the mapping.
        events: the contract, which says which columns are personal.

    >>> from schemas.contract import load_contract
    >>> from schemas.source import load_source
    >>> "text" in shown_fields(load_source("simulated"), load_contract("events"))
    False
    """
    return [name for name in source.columns if events.personal[name] != "personal"]


def nothing_but_the_place(frame: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
    """Rejected candidates that keep only source, file, line number and arrival."""
    known = {"source", "source_file", "line_number", ELEMENT, "arrived_on", "arrived_at"}
    blank = {name: pl.lit(None, kind) for name, kind in rejected.schema.items() if name not in known}
    blank |= {"reasons": pl.lit([str(LineReason.ERASED)]), "readable": pl.lit(False)}
    return frame.with_columns(**blank).select(rejected.columns)


def reject_rows(rejected: pl.DataFrame, rejects: Contract, events: Contract) -> pl.DataFrame:
    """The rows of ``rejects``: position of the line, every reason, and the masked line.

    Args:
        rejected: the candidates that broke a rule, with their reasons.
        rejects: the contract of ``rejects``.
        events: the contract of ``events``.
    """
    candidate = pl.when(pl.col("readable")).then(pl.struct(events.columns))
    return rejected.with_columns(line=pl.col("masked_line"), candidate=candidate).select(rejects.columns)


def _excerpt(problem: str, line: str | None) -> str | None:
    """The shape of an unreadable line; of a list also how many elements it has."""
    shape = _shape(line)
    if problem == Problem.NOT_AN_OBJECT and line is not None and type(found := quick(line)) is list:
        return f"a list of {len(found)} elements: {shape}"
    return shape


def _shape(line: str | None) -> str | None:
    """The start of an unreadable line, its letters and digits replaced: they could identify a user."""
    if line is None:
        return None
    return "".join("a" if c.isalpha() else "9" if c.isnumeric() else c for c in line[:EXCERPT])


def _as_json(row: dict[str, Any]) -> str:
    kept = {name: value for name, value in row.items() if value is not None}
    return orjson.dumps(kept, default=str).decode()[:LONGEST_MASKED_LINE]
