"""From raw columns to candidate events: the source mapping applied, types read, what cannot be read named.

A candidate has every column of the ``events`` contract, null where the line says nothing. A candidate that breaks no rule is
sound; any other is refused, with every reason and with what of its line may be kept.
"""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import orjson
import polars as pl

from jobs.pseudonyms import pseudonyms
from jobs.readers import Problem
from jobs.sessions import CONTENT
from jobs.times import utc_time
from schemas.contract import Contract
from schemas.rules import to_polars
from schemas.source import MADE_BY_CLEAN, Source

EXCERPT = 200
SHORTEST_TELLING_ID = 6
LONGEST_MASKED_LINE = 4000
NUMBERS = {"value": pl.Float64, "propensity": pl.Float64, "position": pl.Int32}
AGENT = "agent"
WHO_AND_WHAT = ["user_id", *CONTENT]


class LineReason(StrEnum):
    """Reasons that no rule of the contract can give, as they are about the line or the source, not about the event."""

    ROBOT_DECLARED = "robot.declared"
    ROBOT_TOO_MANY = "robot.too_many_events"
    ROBOT_ENDLESS = "robot.endless_chain"
    ID_CONFLICT = "event_id.conflict"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"
    SOURCE_RANGE = "source_range"


SENTENCES = {
    Problem.NOT_JSON: "the line is no JSON",
    Problem.NOT_UTF8: "the line is not in UTF-8",
    Problem.TOO_LONG: "the line is longer than a mebibyte",
    Problem.TRUNCATED: "the file ends in the middle of its compression; the lines before it were read",
    Problem.UNREADABLE: "the file is not what its name says",
    LineReason.ROBOT_DECLARED: "the user agent declares itself a robot",
    LineReason.ROBOT_TOO_MANY: "the user did more in a day than a person does",
    LineReason.ROBOT_ENDLESS: "the user went on for longer than a person does, without a pause",
    LineReason.ID_CONFLICT: "the event id was used before, in the same arrival, for another event",
}


@dataclass(frozen=True)
class Arrival:
    """What is the same for every line of a landing file. Lateness does not apply to ``history``."""

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
    """Candidates: ``sound`` as rows of ``events``; ``refused`` with ``reasons``, ``masked_line`` and ``readable`` beside."""

    sound: pl.DataFrame
    refused: pl.DataFrame


def wanted_fields(source: Source) -> dict[str, str]:
    """Which fields a reader has to bring: the mapped columns, and the user agent where robots are known by it."""
    fields = {name: column.path for name, column in source.columns.items() if column.path is not None}
    return {**fields, AGENT: source.robots.path} if source.robots else fields


def parse(raw: pl.DataFrame, source: Source, key: bytes, arrival: Arrival, events: Contract) -> Parsed:
    """Candidates of the lines of one file.

    Args:
        raw: as a reader gives it, with the columns of :func:`wanted_fields`.
        source: the mapping.
        key: key of the pseudonyms.
        arrival: where and when the lines arrived.
        events: the contract.
    """
    raw = _pseudonymous(_trimmed(_with_constants(raw, source)), key)
    frame = raw.select("line_number", *[_typed(name, raw.schema[name], source) for name in source.columns])
    frame = derived(_complete(frame.with_columns(**arrival.constants()), events), arrival.history)
    frame = _with_event_ids(frame).select(events.columns)
    broken = _broken(frame, raw, source, events)
    is_refused = broken.select(pl.any_horizontal(pl.all())).to_series() | raw["problem"].is_not_null()
    return Parsed(frame.filter(~is_refused), _refused(frame, raw, broken, is_refused, shown_fields(source, events)))


def derived(frame: pl.DataFrame, history: bool) -> pl.DataFrame:
    """What follows from ``event_time``, ``arrived_at`` and ``arrived_on``: date, lag and lateness."""
    event_date = pl.col("event_time").dt.date()
    late = pl.lit(None, pl.Int32) if history else (pl.col("arrived_on") - event_date).dt.total_days().cast(pl.Int32)
    lag = (pl.col("arrived_at") - pl.col("event_time")).dt.total_microseconds() / 1e6
    return frame.with_columns(event_date=event_date, days_late=late, lag_seconds=lag)


def masked_lines(rows: pl.DataFrame, fields: list[str]) -> pl.Series:
    """The fields of each row as a JSON object, nulls left out."""
    return pl.Series([_as_json(row) for row in rows.select(fields).iter_rows(named=True)], dtype=pl.String)


def shown_fields(source: Source, events: Contract) -> list[str]:
    """The mapped columns that a reject may show: no personal text."""
    return [name for name in source.columns if events.personal[name] != "personal"]


def _with_constants(raw: pl.DataFrame, source: Source) -> pl.DataFrame:
    return raw.with_columns(
        **{name: pl.lit(column.constant) for name, column in source.columns.items() if column.constant is not None}
    )


def _trimmed(raw: pl.DataFrame) -> pl.DataFrame:
    """Texts without blanks around them; what was nothing but blanks is null."""
    texts = [name for name, kind in raw.schema.items() if kind == pl.String and name not in ("line", "problem")]
    bare = pl.col(texts).str.strip_chars()
    return raw.with_columns(pl.when(bare != "").then(bare))


def _pseudonymous(raw: pl.DataFrame, key: bytes) -> pl.DataFrame:
    """Raw user ids replaced by their pseudonyms, also where they stand inside another field. Short ids stand in any text."""
    person = raw["user_id"].cast(pl.String)
    names = pseudonyms(key, person)
    others = [n for n, kind in raw.schema.items() if kind == pl.String and n not in ("line", "problem", "user_id")]
    telling = person.str.len_chars() >= SHORTEST_TELLING_ID
    frame = raw.with_columns(user_id=person).with_columns(_telling=telling)
    inside = frame.select(pl.col(others).str.contains(pl.col("user_id"), literal=True) & pl.col("_telling"))
    for name in others:
        if inside[name].any():
            rows = zip(raw[name], person, names, inside[name], strict=True)
            texts = [text.replace(who, name_) if found else text for text, who, name_, found in rows]
            raw = raw.with_columns(pl.Series(name, texts, dtype=pl.String))
    return raw.with_columns(user_id=names)


def _typed(name: str, kind: pl.DataType, source: Source) -> pl.Expr:
    column = pl.col(name)
    if name == "event_time":
        return utc_time(column, kind, source).alias(name)
    if name in NUMBERS:
        number = column.cast(NUMBERS[name], strict=False)
        # Engines differ on NaN: one is a null to us.
        return (pl.when(number.is_not_nan()).then(number) if NUMBERS[name].is_float() else number).alias(name)
    text = column.cast(pl.String)
    if name == "event_type":
        return text.replace_strict(source.event_types, default=None, return_dtype=pl.String)
    return text.str.to_uppercase() if name == "country" else text


def _complete(frame: pl.DataFrame, events: Contract) -> pl.DataFrame:
    """All columns of the contract that a source can map; null where it does not."""
    made = {*frame.columns, *MADE_BY_CLEAN}
    absent = {name: pl.lit(None, kind) for name, kind in events.polars_schema.items() if name not in made}
    return frame.with_columns(**absent)


def _with_event_ids(frame: pl.DataFrame) -> pl.DataFrame:
    """An event id for what came without: a digest of what the event says, with the user as a pseudonym."""
    missing = frame["event_id"].is_null()
    if not missing.any():
        return frame
    said = pl.concat_str([pl.col("source"), *[pl.col(c).cast(pl.String).fill_null("") for c in WHO_AND_WHAT]], separator="\x1f")
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in frame.filter(missing).select(said).to_series()]
    ids = frame["event_id"].to_list() if not missing.all() else [None] * len(frame)
    made = iter(digests)
    return frame.with_columns(event_id=pl.Series([i if i is not None else next(made) for i in ids], dtype=pl.String))


def _broken(frame: pl.DataFrame, raw: pl.DataFrame, source: Source, events: Contract) -> pl.DataFrame:
    """For every rule, of the contract and of the source, which candidates break it. A line with a problem breaks none."""
    readable = raw["problem"].is_null()
    found = {rule.id: frame.select(to_polars(rule)).to_series() for rule in events.rules}
    for name, column in source.columns.items():
        lost = raw[name].is_not_null() & frame[name].is_null()
        if name in {*NUMBERS, "event_time"}:
            found[f"{name}.{LineReason.UNREADABLE}"] = lost
        if name == "event_type":
            found[f"{name}.{LineReason.UNKNOWN}"] = lost
        if column.minimum is not None or column.maximum is not None:
            low, high = column.minimum, column.maximum
            inside = frame[name].is_between(float("-inf") if low is None else low, float("inf") if high is None else high)
            found[f"{name}.{LineReason.SOURCE_RANGE}"] = (~inside).fill_null(False)
    if source.robots is not None:
        declared = raw[AGENT].str.contains(source.robots.pattern)
        found[str(LineReason.ROBOT_DECLARED)] = declared.fill_null(False)
    return pl.DataFrame([(series & readable).alias(reason) for reason, series in found.items()])


def _refused(
    frame: pl.DataFrame, raw: pl.DataFrame, broken: pl.DataFrame, is_refused: pl.Series, shown: list[str]
) -> pl.DataFrame:
    """The refused candidates with every reason; of a line that cannot be read only that, and its shape."""
    lines, why = raw.filter(is_refused), broken.filter(is_refused)
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
    return frame.filter(is_refused).with_columns(
        reasons=pl.when(problem.is_not_null()).then(pl.concat_list(problem)).otherwise(reasons),
        masked_line=masked,
        readable=problem.is_null(),
    )


def _shape(line: str | None) -> str | None:
    """The start of a line that could not be read: letters and digits say nothing of whose they were."""
    if line is None:
        return None
    return "".join("a" if c.isalpha() else "9" if c.isnumeric() else c for c in line[:EXCERPT])


def _as_json(row: dict[str, Any]) -> str:
    kept = {name: value for name, value in row.items() if value is not None}
    return orjson.dumps(kept, default=str).decode()[:LONGEST_MASKED_LINE]


def reject_rows(refused: pl.DataFrame, rejects: Contract, events: Contract) -> pl.DataFrame:
    """The rows of ``rejects``: where it stood, every reason, what may be kept of it."""
    candidate = pl.when(pl.col("readable")).then(pl.struct(events.columns))
    return refused.with_columns(line=pl.col("masked_line"), candidate=candidate).select(rejects.columns)
