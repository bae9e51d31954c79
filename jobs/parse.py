"""From raw lines to candidate events: the source mapping applied, types read, what cannot be read named.

A candidate has every column of the ``events`` contract (null where the line says nothing), and beside them ``reasons`` (why the
line cannot become an event) and ``masked_line`` (what of the line may be kept).
"""

from datetime import date
from enum import StrEnum

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.lines import Problem
from jobs.pseudonyms import pseudonym_of
from schemas.contract import load_contract
from schemas.rules import to_spark
from schemas.source import MADE_BY_CLEAN, Source
from schemas.source import Column as SourceColumn

EXCERPT = 200
SHORTEST_TELLING_ID = 6
LONGEST_MASKED_LINE = 4000
# A date without a time of day, or a bare year, would be read as midnight: that is no time of an event.
LOOKS_LIKE_A_TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"
NAMES_ITS_ZONE = r"(Z|[+-]\d{2}:?\d{2})$"
NUMBERS = {"value": "double", "propensity": "double", "position": "int"}
EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000}


class LineReason(StrEnum):
    """Reasons that no rule of the contract can give, as they are about the line or the source, not about the event."""

    ROBOT_DECLARED = "robot.declared"
    ROBOT_TOO_MANY = "robot.too_many_events"
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
    LineReason.ID_CONFLICT: "the event id was used before, in the same arrival, for another event",
}


def parse(lines: DataFrame, source: Source, key: bytes, arrived_on: date, history: bool) -> DataFrame:
    """Candidates of one source.

    Args:
        lines: as :func:`jobs.lines.read_lines` gives them.
        source: the mapping.
        key: key of the pseudonyms.
        arrived_on: the arrival day.
        history: whether lateness does not apply.
    """
    raw = {name: f"raw_{name}" for name in source.columns}
    parsed = lines.withColumn("json", F.try_parse_json("line"))
    frame = parsed.withColumn(raw["user_id"], _extract(source.columns["user_id"]))
    frame = frame.withColumn("user_id", pseudonym_of(key)(F.col(raw["user_id"])))
    others = {raw[n]: _without_user(_extract(c), raw["user_id"]) for n, c in source.columns.items() if n != "user_id"}
    agent = _text(source.robots.path) if source.robots else F.lit(None).cast("string")
    frame = frame.withColumns({**others, "agent": agent})
    frame = frame.withColumns({n: _typed(n, raw[n], source) for n in source.columns if n != "user_id"})
    absent = [f for f in load_contract("events").spark_schema.fields if f.name not in {*source.columns, *MADE_BY_CLEAN}]
    frame = frame.withColumns({f.name: F.lit(None).cast(f.dataType) for f in absent})
    frame = frame.withColumn("event_id", F.coalesce("event_id", _id_from_content()))
    frame = frame.withColumns(_made_columns(arrived_on, history))
    frame = frame.withColumn("problem", F.coalesce("problem", F.when(F.col("json").isNull(), Problem.NOT_JSON)))
    kept = [*load_contract("events").columns, "reasons", "masked_line"]
    return frame.withColumns({"reasons": _reasons(source, raw), "masked_line": _masked_line(source, raw)}).select(*kept)


def _extract(column: SourceColumn) -> Column:
    return F.lit(column.constant) if column.path is None else _text(column.path)


def _without_user(text: Column, raw_user: str) -> Column:
    """A text in which the user's raw id, should it stand there too, is the pseudonym. Shorter ids stand in any text."""
    found = F.coalesce((F.length(raw_user) >= SHORTEST_TELLING_ID) & F.contains(text, F.col(raw_user)), F.lit(False))
    return F.when(found, F.replace(text, F.col(raw_user), F.col("user_id"))).otherwise(text)


def _text(path: str) -> Column:
    """The trimmed text at a dotted path of a JSON line; null when absent or blank."""
    steps = "".join(f"['{step}']" for step in path.split("."))
    text = F.trim(F.try_variant_get("json", f"${steps}", "string"))
    return F.when(text != "", text)


def _typed(name: str, raw: str, source: Source) -> Column:
    text = F.col(raw)
    if name == "event_type":
        words = [F.lit(word) for pair in source.event_types.items() for word in pair]
        return F.try_element_at(F.create_map(*words), text)
    if name == "event_time":
        return _time(text, source)
    if name == "country":
        return F.upper(text)
    if name in NUMBERS:
        number = text.try_cast(NUMBERS[name])
        return F.when(~F.isnan(number), number)  # engines differ on NaN: one is a null to us
    return text


def _time(text: Column, source: Source) -> Column:
    if source.time_format in EPOCHS:
        ticks = text.try_cast("decimal(20,6)") * EPOCHS[source.time_format]
        return F.timestamp_micros(ticks.try_cast("long"))
    moment = text.try_cast("timestamp")  # the session's time zone is UTC
    local = F.when(text.rlike(NAMES_ITS_ZONE), moment).otherwise(F.to_utc_timestamp(moment, source.time_zone))
    return F.when(text.rlike(LOOKS_LIKE_A_TIME), local)


def _id_from_content() -> Column:
    """An event id for a source that gives none: a digest of what the event says, with the user as a pseudonym."""
    said = [
        F.coalesce(F.col(c).cast("string"), F.lit(""))
        for c in ("user_id", "event_type", "event_time", "item_id", "value", "text")
    ]
    return F.sha2(F.concat_ws("\x1f", "source", *said), 256)


def _made_columns(arrived_on: date, history: bool) -> dict[str, Column]:
    event_date = F.to_date("event_time")
    late = F.lit(None).cast("int") if history else F.date_diff(F.lit(arrived_on), event_date)
    lag = (F.unix_micros("arrived_at") - F.unix_micros("event_time")) / F.lit(1e6)
    return {"event_date": event_date, "arrived_on": F.lit(arrived_on), "lag_seconds": lag, "days_late": late}


def _reasons(source: Source, raw: dict[str, str]) -> Column:
    """Every reason why a candidate cannot be an event; of a line that cannot be read only that."""
    found = [F.when(to_spark(rule), F.lit(rule.id)) for rule in load_contract("events").rules]
    for name, column in source.columns.items():
        present = F.col(raw[name]).isNotNull()
        if name in {*NUMBERS, "event_time"}:
            found.append(F.when(present & F.col(name).isNull(), F.lit(f"{name}.{LineReason.UNREADABLE}")))
        if name == "event_type":
            found.append(F.when(present & F.col(name).isNull(), F.lit(f"{name}.{LineReason.UNKNOWN}")))
        if column.minimum is not None or column.maximum is not None:
            inside = F.col(name).between(_or(column.minimum, "-inf"), _or(column.maximum, "inf"))
            found.append(F.when(~inside, F.lit(f"{name}.{LineReason.SOURCE_RANGE}")))
    if source.robots is not None:
        declared = F.col("agent").rlike(source.robots.pattern)
        found.append(F.when(declared, F.lit(str(LineReason.ROBOT_DECLARED))))
    of_the_line = F.array(F.col("problem"))
    return F.when(F.col("problem").isNotNull(), of_the_line).otherwise(F.array_compact(F.array(*found)))


def _or(bound: float | None, open_end: str) -> float:
    return float(open_end) if bound is None else bound


def _masked_line(source: Source, raw: dict[str, str]) -> Column:
    """The mapped fields as JSON, with a pseudonym for the user and no personal text; of an unreadable line its shape alone."""
    personal = load_contract("events").personal
    shown = [
        (F.col("user_id") if name == "user_id" else F.col(raw[name])).alias(name)
        for name in source.columns
        if name == "user_id" or personal[name] != "personal"
    ]
    shape = F.regexp_replace(F.regexp_replace(F.left("line", F.lit(EXCERPT)), r"\p{L}", "a"), r"\p{N}", "9")
    masked = F.when(F.col("problem").isNotNull(), shape).otherwise(F.to_json(F.struct(*shown)))
    return F.left(masked, F.lit(LONGEST_MASKED_LINE))
