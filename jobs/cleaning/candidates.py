"""From raw columns to candidate events: apply the source mapping, convert types, and name the values that cannot be read.

A candidate has every column of the ``events`` contract; a column that the line does not fill is null. A candidate that breaks
no rule is valid (``accepted``). Any other is rejected (``rejected``), with every reason and the part of its line that may
be kept.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl

from jobs.cleaning.broken_rules import (
    AGENT,
    EVENT_TIME,
    EVENT_TYPE,
    NUMBERS,
    SKIP,
    broken_rules,
    not_exact_reasons,
    set_aside_by_rule,
)
from jobs.cleaning.event_identity import CONTENT_COLUMNS, content_of
from jobs.cleaning.number_texts import numbers
from jobs.cleaning.pseudonymize import TYPED, pseudonyms, telling_parts, with_pseudonyms, without_ids
from jobs.cleaning.raw_columns import assembled, trimmed_texts, with_exact_ids
from jobs.cleaning.reject_reasons import LineReason
from jobs.cleaning.rejected import nothing_but_the_place, rejected_rows, shown_fields, with_short_texts, without_private
from jobs.cleaning.timestamps import reasons as time_reasons
from jobs.cleaning.timestamps import utc_times
from jobs.landing.mapped import digests, fields_of, parts_of, value_of
from jobs.landing.readers.frames import ELEMENT, IDS, LEFT_OUT
from schemas.contract import Contract
from schemas.privacy.personal_texts import redacted_texts
from schemas.privacy.suppression_list import Erased
from schemas.rules import RowRuleKind
from schemas.source import Source

LONGEST_USER_ID = 10_000
"""Characters of a raw user id; an address with a user agent, the longest id of a mapping here, stays below that."""
LONGEST_SEARCHED = 20_000
"""Characters of a text that are searched for personal data; the rest is left out. No column is longer than half."""
WHO_AND_WHAT = ["user_id", *CONTENT_COLUMNS]
REDACTED, CUT = "redacted", "cut"


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

    ``readable`` is false for lines that could not be parsed and for lines that a `skip` rule of the source excludes. Both have
    ``element``, the number of the element in its line (0 for a whole line). ``left_out`` counts the elements of the lists of
    accepted candidates that the mapping does not read.
    """

    accepted: pl.DataFrame
    rejected: pl.DataFrame
    left_out: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    """How many texts lost something: ``redacted.<kind>`` for personal data, ``cut.<column>`` for a text that was too long."""
    former: dict[str, str] = field(default_factory=dict)
    """For ids that were written as 17850.0, the pseudonym of that text and the present one: an erasure holds for both."""

    @property
    def lines(self) -> int:
        """How many lines the candidates come from: those of one line have the numbers from 1, or one has 0."""
        return sum(int((frame[ELEMENT] <= 1).sum()) for frame in (self.accepted, self.rejected))

    @property
    def records(self) -> int:
        """How many candidates there are."""
        return len(self.accepted) + len(self.rejected)


def no_candidates(events: Contract) -> pl.DataFrame:
    """An empty frame of valid candidates."""
    return events.polars_schema.to_frame().with_columns(pl.lit(0, pl.Int32).alias(ELEMENT))


def wanted_fields(source: Source) -> dict[str, str]:
    """The fields that a reader must return: the inputs of the mapped columns and of the source's `skip` and bot rules."""
    fields = fields_of(source.columns)
    fields |= {f"{SKIP}{name}": rule.path for name, rule in source.skip.items()}
    return {**fields, AGENT: source.robots.path} if source.robots else fields


def parse(raw: pl.DataFrame, source: Source, key: bytes, arrival: Arrival, events: Contract) -> Parsed:
    """Candidates of the lines of one file.

    Args:
        raw: a frame of a reader, with the columns of :func:`wanted_fields`.
        source: the mapping.
        key: key of the pseudonyms.
        arrival: where and when the lines arrived.
        events: the contract.
    """
    left_out = raw[LEFT_OUT] if LEFT_OUT in raw.columns else None
    trimmed = trimmed_texts(raw, source)
    raw, not_exact = with_exact_ids(trimmed)
    set_aside = set_aside_by_rule(raw, source)
    parts = _parts_of_the_person(raw, source)
    raw = assembled(raw, source)
    too_long = (raw["user_id"].cast(pl.String).str.len_chars() > LONGEST_USER_ID).fill_null(False)
    persons, raw = [raw["user_id"].cast(pl.String), *parts], with_pseudonyms(raw, parts, key)
    former = _former_names(trimmed, persons[0], source, key)
    raw, changed = _redacted(raw)
    frame, why_no_time = _typed(raw, source, arrival)
    frame = derived(_complete(frame.with_columns(**arrival.constants()), events), arrival.history)
    frame = _with_event_ids(frame).select(*events.columns, ELEMENT)
    frame = with_short_descriptions(frame, events, changed)
    broken = broken_rules(frame, raw, why_no_time, set_aside, source, events)
    sound = raw["problem"].is_null()
    broken = broken.with_columns(
        (too_long & sound).alias(f"user_id.{LineReason.TOO_LONG}"), **not_exact_reasons(not_exact, sound, broken)
    )
    is_rejected = broken.select(pl.any_horizontal(pl.all())).to_series() | raw["problem"].is_not_null()
    raw = _with_masked_values(raw, persons, is_rejected)
    rejected = rejected_rows(frame, raw, broken, is_rejected, shown_fields(source, events))
    unread = 0 if left_out is None else int(left_out.filter(~is_rejected).sum())
    rejected = with_short_texts(without_private(rejected, source), events)
    return Parsed(frame.filter(~is_rejected), rejected, unread, changed, former)


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
            gone.append(nothing_but_the_place(frame.filter(hit), parsed.rejected))
    return Parsed(kept, pl.concat(gone), parsed.left_out, parsed.changed, parsed.former)


def _turned_away(frame: pl.DataFrame, erased: Erased, former: dict[str, str]) -> pl.Series | None:
    """Which candidates belong to erased users; None if there are none."""
    persons = {former.get(name, name) for name in erased.among([*frame["user_id"].unique(), *former])}
    return frame["user_id"].is_in(list(persons)).fill_null(False) if persons else None


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


def _former_names(trimmed: pl.DataFrame, persons: pl.Series, source: Source, key: bytes) -> dict[str, str]:
    """The pseudonyms of ids as earlier versions read them, where they differ."""
    before = trimmed.with_columns(value_of("user_id", source.columns["user_id"], trimmed))["user_id"].cast(pl.String)
    other = (before != persons).fill_null(False)
    if not other.any():
        return {}
    return dict(zip(pseudonyms(key, before.filter(other)), pseudonyms(key, persons.filter(other)), strict=True))


def _parts_of_the_person(raw: pl.DataFrame, source: Source) -> list[pl.Series]:
    """The parts of an id made from several fields that name the person too."""
    column = source.columns["user_id"]
    parts = dict(zip(column.origins, parts_of("user_id", column), strict=True))
    return telling_parts({path: raw[name] for path, name in parts.items()}, source) if len(parts) > 1 else []


def _redacted(raw: pl.DataFrame) -> tuple[pl.DataFrame, Counter[str]]:
    """Texts without personal data, and how many pieces of each kind were replaced."""
    changed = Counter[str]()
    for name, kind in raw.schema.items():
        if kind == pl.String and name not in (*TYPED, "user_id", "line", "problem"):
            texts, found = redacted_texts(_at_most(raw[name], LONGEST_SEARCHED), of_items=name in IDS, names=raw["user_id"])
            if found and name == "event_id":  # two ids with a secret each are two ids
                texts = texts.zip_with(texts.eq_missing(raw[name]), digests(raw[name]))
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
    frame = pl.DataFrame([raw["line_number"], raw[ELEMENT], *columns])
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
