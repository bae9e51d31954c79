"""From raw columns to candidate events: apply the source mapping, convert types, and name the values that cannot be read.

A candidate has every column of the ``events`` contract; a column that the line does not fill is null. A candidate that breaks
no rule is valid (``accepted``). Any other is rejected (``rejected``), with every reason and the part of its line that may
be kept.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import orjson
import polars as pl

from jobs.cleaning.event_identity import CONTENT_COLUMNS, content_of
from jobs.cleaning.number_texts import exact_ids, numbers
from jobs.cleaning.pseudonymize import TYPED, pseudonyms, telling_parts, with_pseudonyms, without_ids
from jobs.cleaning.reject_reasons import LineReason
from jobs.cleaning.timestamps import reasons as time_reasons
from jobs.cleaning.timestamps import utc_times
from schemas.contract import Contract
from schemas.privacy.personal_texts import redacted_texts
from schemas.privacy.suppression_list import Erased
from schemas.rules import RowRuleKind, to_polars
from schemas.source import Column, Source

EXCERPT = 200
LONGEST_USER_ID = 10_000
"""Characters of a raw user id; an address with a user agent, the longest id of a mapping here, stays below that."""
LONGEST_MASKED_LINE = 4000
LONGEST_SEARCHED = 20_000
"""Characters of a text that are searched for personal data; the rest is left out. No column is longer than half."""
NUMBERS = {"value": pl.Float64(), "propensity": pl.Float64(), "position": pl.Int32()}
AGENT = "agent"
WHO_AND_WHAT = ["user_id", *CONTENT_COLUMNS]
EVENT_TIME, EVENT_TYPE = "event_time", "event_type"
IDS = ("user_id", "event_id", "item_id")
REDACTED, CUT = "redacted", "cut"
SKIP = "skip."
"""Prefix of a `skip` rule's name: the field that the rule reads."""


@dataclass(frozen=True)
class Arrival:
    """The properties that all lines of a landing file share. Lateness does not apply to ``history``."""

    source: str
    source_file: str
    arrived_at: datetime
    arrived_on: date
    history: bool

    def constants(self) -> dict[str, pl.Expr]:
        moment = pl.lit(self.arrived_at).cast(pl.Datetime("us", "UTC"))
        return {
            "source": pl.lit(self.source),
            "source_file": pl.lit(self.source_file),
            "arrived_at": moment,
            "arrived_on": pl.lit(self.arrived_on),
        }


@dataclass(frozen=True)
class Parsed:
    """Candidates: ``accepted`` as rows of ``events``; ``rejected`` with ``reasons``, ``masked_line`` and ``readable`` besides.

    ``readable`` is false for lines that could not be parsed and for lines that a `skip` rule of the source excludes.
    """

    accepted: pl.DataFrame
    rejected: pl.DataFrame
    changed: Counter[str] = field(default_factory=Counter)
    """How many texts lost something: ``redacted.<kind>`` for personal data, ``cut.<column>`` for a text that was too long."""
    former: dict[str, str] = field(default_factory=dict)
    """For ids that were written as 17850.0, the pseudonym of that text and the present one: an erasure holds for both."""


def wanted_fields(source: Source) -> dict[str, str]:
    """The fields that a reader must return: the inputs of the mapped columns and of the source's `skip` and bot rules."""
    fields = {
        part: where
        for name, column in source.columns.items()
        for part, where in zip(_parts(name, column), column.origins, strict=True)
    }
    fields |= {f"{SKIP}{name}": rule.path for name, rule in source.skip.items()}
    return {**fields, AGENT: source.robots.path} if source.robots else fields


def _parts(name: str, column: Column) -> list[str]:
    """The names of a column's input fields; the first is the column's own name."""
    return [name if number == 0 else f"{name}.{number}" for number in range(len(column.origins))]


def parse(raw: pl.DataFrame, source: Source, key: bytes, arrival: Arrival, events: Contract) -> Parsed:
    """Candidates of the lines of one file.

    Args:
        raw: a frame of a reader, with the columns of :func:`wanted_fields`.
        source: the mapping.
        key: key of the pseudonyms.
        arrival: where and when the lines arrived.
        events: the contract.
    """
    trimmed = _trimmed(raw, source)
    raw, not_exact = _with_exact_ids(trimmed)
    set_aside = _set_aside(raw, source)
    parts = _parts_of_the_person(raw, source)
    raw = _assembled(raw, source)
    too_long = (raw["user_id"].cast(pl.String).str.len_chars() > LONGEST_USER_ID).fill_null(False)
    persons, raw = [raw["user_id"].cast(pl.String), *parts], with_pseudonyms(raw, parts, key)
    former = _former_names(trimmed, persons[0], source, key)
    raw, changed = _redacted(raw)
    frame, why_no_time = _typed(raw, source, arrival)
    frame = derived(_complete(frame.with_columns(**arrival.constants()), events), arrival.history)
    frame = with_short_descriptions(_with_event_ids(frame).select(events.columns), events, changed)
    broken = _broken(frame, raw, why_no_time, set_aside, source, events)
    sound = raw["problem"].is_null()
    broken = broken.with_columns(
        (too_long & sound).alias(f"user_id.{LineReason.TOO_LONG}"), **_not_exact(not_exact, sound, broken)
    )
    is_rejected = broken.select(pl.any_horizontal(pl.all())).to_series() | raw["problem"].is_not_null()
    raw = _with_masked_values(raw, persons, is_rejected)
    rejected = _refused(frame, raw, broken, is_rejected, shown_fields(source, events))
    return Parsed(frame.filter(~is_rejected), _with_short_texts(_without_private(rejected, source), events), changed, former)


def without_erased(parsed: Parsed, erased: Erased) -> Parsed:
    """Reject the lines of erased users, and keep nothing of them but file, line number and arrival.

    Args:
        parsed: the candidates of a file.
        erased: the suppression list.
    """
    accepted, rejected = (_turned_away(frame, erased, parsed.former) for frame in (parsed.accepted, parsed.rejected))
    if accepted is None and rejected is None:
        return parsed
    kept = parsed.accepted if accepted is None else parsed.accepted.filter(~accepted)
    gone = [parsed.rejected if rejected is None else parsed.rejected.filter(~rejected)]
    for frame, hit in ((parsed.accepted, accepted), (parsed.rejected, rejected)):
        if hit is not None:
            gone.append(_nothing_but_the_place(frame.filter(hit), parsed.rejected))
    return Parsed(kept, pl.concat(gone), parsed.changed, parsed.former)


def _turned_away(frame: pl.DataFrame, erased: Erased, former: dict[str, str]) -> pl.Series | None:
    """Which candidates belong to erased users; None if there are none."""
    persons = {former.get(name, name) for name in erased.among([*frame["user_id"].unique(), *former])}
    return frame["user_id"].is_in(list(persons)).fill_null(False) if persons else None


def _nothing_but_the_place(frame: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
    """Rejected candidates that keep only source, file, line number and arrival."""
    known = {"source", "source_file", "line_number", "arrived_on", "arrived_at"}
    blank = {name: pl.lit(None, kind) for name, kind in rejected.schema.items() if name not in known}
    blank |= {"reasons": pl.lit([str(LineReason.ERASED)]), "readable": pl.lit(False)}
    return frame.with_columns(**blank).select(rejected.columns)


def derived(frame: pl.DataFrame, history: bool) -> pl.DataFrame:
    """Add the columns that follow from ``event_time``, ``arrived_at`` and ``arrived_on``: date, lag and lateness.

    Args:
        frame: candidates with these three columns.
        history: whether the arrival is a history load, to which lateness does not apply.
    """
    event_date = pl.col("event_time").dt.date()
    late = pl.lit(None, pl.Int32) if history else (pl.col("arrived_on") - event_date).dt.total_days().cast(pl.Int32)
    lag = (pl.col("arrived_at") - pl.col("event_time")).dt.total_microseconds() / 1e6
    return frame.with_columns(event_date=event_date, days_late=late, lag_seconds=lag)


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


def _trimmed(raw: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Texts without surrounding blanks; blank texts and the source's markers for a missing value become null."""
    texts = [name for name, kind in raw.schema.items() if kind == pl.String and name not in ("line", "problem")]
    bare = pl.col(texts).str.strip_chars()
    return raw.with_columns(pl.when(~bare.is_in(["", *source.nothing])).then(bare))


def _set_aside(raw: pl.DataFrame, source: Source) -> pl.DataFrame:
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


def _assembled(raw: pl.DataFrame, source: Source) -> pl.DataFrame:
    """One raw column for each mapped column, with parts joined and constants and defaults filled in."""
    columns = []
    for name, column in source.columns.items():
        value = pl.lit(column.constant) if column.constant is not None else pl.col(name)
        if column.paths is not None:
            joined = pl.concat_str(_parts(name, column), separator=column.joined_by, ignore_nulls=True)
            value = pl.when(pl.col(name).is_not_null()).then(joined)
        if column.default is not None:
            value = value.cast(pl.String).fill_null(column.default)
        columns.append(value.alias(name))
    return raw.select("line_number", "problem", "line", *columns)


def raw_columns(raw: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """The mapped columns of a frame of a reader: trimmed, joined and filled, and which ids are rounded numbers.

    Args:
        raw: a frame of a reader.
        source: the mapping.
    """
    exact, rounded = _with_exact_ids(_trimmed(raw, source))
    return _assembled(exact, source), rounded


def _with_exact_ids(raw: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """Ids with whole numbers written alike, and for each id with rounded numbers which they are."""
    rounded = dict[str, pl.Series]()
    for name in raw.columns:
        of = name.split(".")[0]
        if of in IDS:
            texts, flags = exact_ids(raw[name])
            raw = raw.with_columns(texts.alias(name))
            if flags is not None:
                rounded[of] = rounded[of] | flags if of in rounded else flags
    return raw, rounded


def _former_names(trimmed: pl.DataFrame, persons: pl.Series, source: Source, key: bytes) -> dict[str, str]:
    """The pseudonyms of ids as earlier versions read them, where they differ."""
    before = _assembled(trimmed, source)["user_id"].cast(pl.String)
    other = (before != persons).fill_null(False)
    if not other.any():
        return {}
    return dict(zip(pseudonyms(key, before.filter(other)), pseudonyms(key, persons.filter(other)), strict=True))


def _not_exact(rounded: dict[str, pl.Series], sound: pl.Series, broken: pl.DataFrame) -> dict[str, pl.Series]:
    """The reasons of ids that are rounded numbers; such an id is not also missing."""
    found = {f"{name}.{LineReason.NOT_EXACT}": flags & sound for name, flags in rounded.items()}
    missing = {f"{name}.{RowRuleKind.REQUIRED}": flags for name, flags in rounded.items()}
    return {**{rule: broken[rule] & ~flags for rule, flags in missing.items() if rule in broken.columns}, **found}


def _parts_of_the_person(raw: pl.DataFrame, source: Source) -> list[pl.Series]:
    """The parts of an id made from several fields that name the person too."""
    column = source.columns["user_id"]
    parts = dict(zip(column.origins, _parts("user_id", column), strict=True))
    return telling_parts({path: raw[name] for path, name in parts.items()}, source) if len(parts) > 1 else []


def _redacted(raw: pl.DataFrame) -> tuple[pl.DataFrame, Counter[str]]:
    """Texts without personal data, and how many pieces of each kind were replaced."""
    changed = Counter[str]()
    for name, kind in raw.schema.items():
        if kind == pl.String and name not in (*TYPED, "user_id", "line", "problem"):
            texts, found = redacted_texts(_at_most(raw[name], LONGEST_SEARCHED), of_items=name in IDS, names=raw["user_id"])
            raw = raw.with_columns(texts)
            if found:
                changed.update({f"{REDACTED}.{what}": count for what, count in found.items()})
    return raw, changed


def _at_most(texts: pl.Series, length: int) -> pl.Series:
    return texts.str.slice(0, length) if (texts.str.len_bytes() > length).any() else texts


def with_short_descriptions(frame: pl.DataFrame, contract: Contract, changed: Counter[str]) -> pl.DataFrame:
    """Rows whose describing texts are cut to the contract's length; the id of a person, event or item is never cut.

    Args:
        frame: the rows.
        contract: their contract.
        changed: is increased by the number of texts that were cut, as ``cut.<column>``.
    """
    for rule in contract.rules:
        if rule.kind is RowRuleKind.LENGTH and rule.column not in IDS and frame.schema[rule.column] == pl.String:
            long = int((frame[rule.column].str.len_chars() > rule.high).sum())
            if long:
                changed[f"{CUT}.{rule.column}"] += long
                frame = frame.with_columns(pl.col(rule.column).str.slice(0, rule.high))
    return frame


def _with_masked_values(raw: pl.DataFrame, persons: list[pl.Series], is_rejected: pl.Series) -> pl.DataFrame:
    """Rejected lines whose values, such as a rating, hold no id or other personal data: a wrong value may be anything."""
    typed = [name for name in TYPED if raw.schema.get(name) == pl.String]
    rows = is_rejected.arg_true()
    if not len(rows) or not typed:
        return raw
    lines = raw[rows]
    for own in persons:
        lines = without_ids(lines, typed, own.gather(rows), raw["user_id"].gather(rows))
    texts = {name: redacted_texts(lines[name], True, lines["user_id"])[0] for name in typed}
    return raw.with_columns(**{name: raw[name].scatter(rows, values) for name, values in texts.items()})


def _typed(raw: pl.DataFrame, source: Source, arrival: Arrival) -> tuple[pl.DataFrame, pl.Series | None]:
    """The mapped columns in their types, and why a time cannot be read; a value that cannot be read is null."""
    columns = [_value(raw[name], name, source).alias(name) for name in source.columns if name != EVENT_TIME]
    frame = pl.DataFrame([raw["line_number"], *columns])
    times = utc_times(raw[EVENT_TIME], source)
    why = time_reasons(raw[EVENT_TIME], times, source, arrival.arrived_at)
    if why is not None:
        times = times.to_frame().select(pl.when(why.is_null()).then(pl.first())).to_series()
    return frame.with_columns(times.alias(EVENT_TIME)), why


def _value(values: pl.Series, name: str, source: Source) -> pl.Series:
    if name in NUMBERS:
        return numbers(values, NUMBERS[name], source)
    text = values.cast(pl.String)
    if name == EVENT_TYPE:
        return text.replace_strict(source.event_types, default=None, return_dtype=pl.String)
    return text.str.to_uppercase() if name == "country" else text


def _complete(frame: pl.DataFrame, events: Contract) -> pl.DataFrame:
    """Add the contract's columns that the source does not map, as nulls."""
    wanted = events.mappable - set(frame.columns)
    absent = {name: pl.lit(None, kind) for name, kind in events.polars_schema.items() if name in wanted}
    return frame.with_columns(**absent)


def _with_event_ids(frame: pl.DataFrame) -> pl.DataFrame:
    """Lines without an event id get a digest of the event's content, with the user as a pseudonym."""
    missing = frame["event_id"].is_null()
    if not missing.any():
        return frame
    said = content_of(["source", "user_id"])
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in frame.filter(missing).select(said).to_series()]
    ids = frame["event_id"].to_list() if not missing.all() else [None] * len(frame)
    made = iter(digests)
    return frame.with_columns(event_id=pl.Series([i if i is not None else next(made) for i in ids], dtype=pl.String))


def _broken(
    frame: pl.DataFrame,
    raw: pl.DataFrame,
    why_no_time: pl.Series | None,
    set_aside: pl.DataFrame,
    source: Source,
    events: Contract,
) -> pl.DataFrame:
    """For every rule of the contract and of the source, which candidates break it, without what only follows from another.

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
        if column.minimum is not None or column.maximum is not None:
            low, high = column.minimum, column.maximum
            inside = frame[name].is_between(float("-inf") if low is None else low, float("inf") if high is None else high)
            found[f"{name}.{LineReason.SOURCE_RANGE}"] = (~inside).fill_null(False)
    found = _first_of_each_cause(found, source, events)
    found |= {name: set_aside[name] for name in set_aside.columns}
    return pl.DataFrame([(hit & (readable if name in skips else judged)).alias(name) for name, hit in found.items()])


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


def _refused(
    frame: pl.DataFrame, raw: pl.DataFrame, broken: pl.DataFrame, is_rejected: pl.Series, shown: list[str]
) -> pl.DataFrame:
    """The rejected candidates with every reason; an unreadable line gets only its problem and the shape of its text."""
    lines, why = raw.filter(is_rejected), broken.filter(is_rejected)
    of_rules = pl.concat_list([pl.when(pl.col(reason)).then(pl.lit(reason)) for reason in why.columns]).list.drop_nulls()
    reasons = why.select(of_rules.alias("reasons")).to_series()
    problem = lines["problem"]
    masked = pl.Series(
        [
            text if unread is None else _shape(line)
            for text, unread, line in zip(masked_lines(lines, shown), problem, lines["line"], strict=True)
        ],
        dtype=pl.String,
    )
    return frame.filter(is_rejected).with_columns(
        reasons=pl.when(problem.is_not_null()).then(pl.concat_list(problem)).otherwise(reasons),
        masked_line=masked,
        readable=problem.is_null() & ~reasons.list.first().str.starts_with(f"{LineReason.SKIPPED}.").fill_null(False),
    )


def _without_private(rejected: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Rejected candidates; those that a private `skip` rule excludes show nothing of their line."""
    private = [f"{LineReason.SKIPPED}.{name}" for name, rule in source.skip.items() if rule.private]
    if not private:
        return rejected
    hit = pl.col("reasons").list.eval(pl.element().is_in(private)).list.any()
    return rejected.with_columns(masked_line=pl.when(~hit).then("masked_line"))


def _with_short_texts(rejected: pl.DataFrame, events: Contract) -> pl.DataFrame:
    """Rejected candidates with every text cut to one character more than its column allows: it still breaks the rule."""
    longest = {rule.column: rule.high for rule in events.rules if rule.kind is RowRuleKind.LENGTH and rule.high is not None}
    texts = [name for name, kind in events.polars_schema.items() if kind == pl.String and name in events.mappable]
    return rejected.with_columns(pl.col(name).str.slice(0, longest.get(name, EXCERPT) + 1) for name in texts)


def _shape(line: str | None) -> str | None:
    """The start of an unreadable line, its letters and digits replaced: they could identify a user."""
    if line is None:
        return None
    return "".join("a" if c.isalpha() else "9" if c.isnumeric() else c for c in line[:EXCERPT])


def _as_json(row: dict[str, Any]) -> str:
    kept = {name: value for name, value in row.items() if value is not None}
    return orjson.dumps(kept, default=str).decode()[:LONGEST_MASKED_LINE]


def reject_rows(rejected: pl.DataFrame, rejects: Contract, events: Contract) -> pl.DataFrame:
    """The rows of ``rejects``: position of the line, every reason, and the masked line.

    Args:
        refused: rejected candidates, see :class:`Parsed`.
        rejects: the contract of ``rejects``.
        events: the contract of ``events``.
    """
    candidate = pl.when(pl.col("readable")).then(pl.struct(events.columns))
    return rejected.with_columns(line=pl.col("masked_line"), candidate=candidate).select(rejects.columns)
