"""Every reason for which a line does not become an event, and its sentence."""

from enum import StrEnum

from jobs.cleaning.timestamps import UNITS, TimeReason
from jobs.landing.readers import Problem
from schemas.contract import Contract
from schemas.source import Source


class LineReason(StrEnum):
    """Reasons that concern the line or its source, so no rule of the contract covers them."""

    ROBOT_DECLARED = "robot.declared"
    ROBOT_TOO_MANY = "robot.too_many_events"
    ROBOT_ENDLESS = "robot.endless_chain"
    ID_CONFLICT = "event_id.conflict"
    ERASED = "person.erased"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"
    TOO_LONG = "too_long"
    PERSONAL = "personal"
    NOT_EXACT = "not_exact"
    SOURCE_RANGE = "source_range"
    SKIPPED = "source"
    """Followed by a dot and the name of the source's `skip` rule."""


SENTENCES: dict[str, str] = {
    Problem.NOT_JSON: "the line is not valid JSON",
    Problem.NOT_AN_OBJECT: 'the line is a JSON list or a single value, not an object; `each: "[]"` makes its elements events',
    Problem.NOT_A_LIST: "the value that `each` of the mapping names is not a list",
    Problem.NO_ELEMENTS: "the line is an empty list",
    Problem.TOO_MANY_ELEMENTS: "the elements become over 64 MiB with the values of the line, or are over 262,144 in Parquet",
    Problem.NOT_UTF8: "the line is not valid UTF-8; if the file has another encoding, name it: `encoding: latin-1`",
    Problem.WRONG_ENCODING: "the line cannot be decoded with the mapping's encoding",
    Problem.TOO_LONG: "the line is longer than 1 MiB",
    Problem.WRONG_FIELDS: "the line has more or fewer fields than the header",
    Problem.BROKEN_QUOTES: "a quote is not closed at the end of a field",
    Problem.HEADER_AGAIN: "the line is a header again; the lines after it are read by it",
    Problem.COMMENT: "the line is a comment, or a directive of a W3C log",
    Problem.NO_HEADER: "no header with a column of the mapping precedes the line",
    Problem.NO_MATCH: "the line does not match the mapping's pattern",
    Problem.FAULT: "a library fails at the line, or at the rest of the file; keep it, and report it as a fault",
    Problem.REPEATED_NAME: "the file has two columns of a mapped name; rename one of them",
    Problem.DAMAGED: "the row is in a damaged part of the file",
    Problem.EMPTY: "the file is empty, without even a header",
    Problem.TRUNCATED: "the compressed file is truncated; the lines before the cut were read",
    Problem.TRAILING: "other data follows the compressed data, and was not read; the lines before it were",
    Problem.CHECKSUM: "the checksum of the compressed data is wrong, so a line that was read may be damaged; deliver it again",
    Problem.UNREADABLE: "the file is corrupt, or not in the format of its mapping",
    Problem.UTF16: "the file is in UTF-16; add `encoding: utf-16` to the mapping",
    Problem.UNKNOWN_COMPRESSION: "the file is in an archive or a compression that is not read, or is encrypted; "
    "deliver it plain, or as gzip, Zstandard, bzip2, xz or zip",
    Problem.TOO_LARGE: "the file becomes too large or has too many lines when it is read "
    "(CLICKWRIGHT_LANDING_FILE_GB, its RATIO and LINES)",
    Problem.BAD_NAME: "the file's name is not UTF-8, or has control characters or backslashes; deliver it under another name",
    Problem.NOT_A_FILE: "the entry is not a file that can be read (a pipe, a device, a link to a folder or to nothing)",
    Problem.OUTSIDE: "the file is a link that leads out of the landing zone",
    LineReason.ROBOT_DECLARED: "the user agent identifies itself as a bot",
    LineReason.ROBOT_TOO_MANY: "the user has too many events in a day for a person",
    LineReason.ROBOT_ENDLESS: "the user was active without a break for longer than a person can be",
    LineReason.ID_CONFLICT: "an earlier line of the same user and arrival uses this event id for another event",
    LineReason.ERASED: "the user was erased; new lines of erased users are rejected",
    LineReason.UNREADABLE: "the value cannot be read as the column's type",
    LineReason.TOO_LONG: "the value is too long",
    LineReason.PERSONAL: "the text holds an email address, a telephone number or a card number",
    LineReason.NOT_EXACT: "the id is a rounded number, so it may stand for several; deliver it as a text or a whole number",
    LineReason.UNKNOWN: "the mapping has no entry for this value",
    LineReason.SOURCE_RANGE: "the value is outside the range that the source allows",
    LineReason.SKIPPED: "excluded by a `skip` rule of the source",
}


SENTENCES_OF_TIMES = {
    str(
        TimeReason.NO_TIME_OF_DAY
    ): "a date without a time of day; set dates_only: true in the mapping if the source has no more",
    **{
        f"{TimeReason.LOOKS_LIKE}_{unit}": f"the number looks like {unit}; correct time_format in the mapping" for unit in UNITS
    },
}

CONSEQUENCES = {
    "lag_seconds.range": "the event lies in the future of its arrival",
    "days_late.range": "the event arrived too late, or too early",
    "event_time.range": "the time lies too far back",
}
"""The meaning of a broken rule of the contract where its own sentence does not say it."""


def sentence(reason: str, source: Source, events: Contract) -> str:
    """Explain a reason code of a reject in words.

    Args:
        reason: the code, such as ``line.not_json``, ``event_type.unknown`` or ``source.<skip rule>``.
        source: the mapping; it explains its own ``skip`` rules.
        events: the contract; it explains its own rules.

    >>> from schemas.contract import load_contract
    >>> from schemas.source import load_source
    >>> movielens, events = load_source("movielens"), load_contract("events")
    >>> sentence("line.not_json", movielens, events)
    'the line is not valid JSON'
    >>> sentence("user_id.required", movielens, events)
    'user_id must not be null'
    >>> sentence("event_type.unknown", movielens, events)
    'event_type: the mapping has no entry for this value'
    """
    if reason in SENTENCES:
        return SENTENCES[reason]
    for rule in events.rules:
        if rule.id == reason:
            return f"{CONSEQUENCES[reason]}: {rule.sentence}" if reason in CONSEQUENCES else rule.sentence
    where, _, what = reason.partition(".")
    if what in SENTENCES_OF_TIMES:
        return f"{where}: {SENTENCES_OF_TIMES[what]}"
    if where == LineReason.SKIPPED:
        return source.skip[what].why or SENTENCES[LineReason.SKIPPED]
    return f"{where}: {SENTENCES[what]}"
