"""Every reason for which a line does not become an event, and its sentence."""

from enum import StrEnum

from jobs.landing.readers import Problem
from schemas.contract import Contract
from schemas.source import Source


class LineReason(StrEnum):
    """Reasons that no rule of the contract can give, as they are about the line or the source, not about the event."""

    ROBOT_DECLARED = "robot.declared"
    ROBOT_TOO_MANY = "robot.too_many_events"
    ROBOT_ENDLESS = "robot.endless_chain"
    ID_CONFLICT = "event_id.conflict"
    ERASED = "person.erased"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"
    SOURCE_RANGE = "source_range"
    SKIPPED = "source"
    """With the name of the source's rule behind it."""


SENTENCES: dict[str, str] = {
    Problem.NOT_JSON: "the line is no JSON",
    Problem.NOT_UTF8: "the line is not in UTF-8",
    Problem.WRONG_ENCODING: "the line is not in the encoding that the mapping names",
    Problem.TOO_LONG: "the line is longer than a mebibyte",
    Problem.WRONG_FIELDS: "the line has more or fewer fields than the header",
    Problem.BROKEN_QUOTES: "a quote does not close where a field ends",
    Problem.HEADER_AGAIN: "the header stands there again",
    Problem.NO_HEADER: "no header with a column of the mapping stands above the line",
    Problem.NO_MATCH: "the line does not match the mapping's pattern",
    Problem.DAMAGED: "the row lies in a damaged part of the file",
    Problem.EMPTY: "the file is empty: not even a header",
    Problem.TRUNCATED: "the file ends in the middle of its compression; the lines before it were read",
    Problem.UNREADABLE: "the file is not what its name says",
    LineReason.ROBOT_DECLARED: "the user agent declares itself a robot",
    LineReason.ROBOT_TOO_MANY: "the user did more in a day than a person does",
    LineReason.ROBOT_ENDLESS: "the user went on for longer than a person does, without a pause",
    LineReason.ID_CONFLICT: "the event id was used before, in the same arrival, for another event",
    LineReason.ERASED: "the person was erased, and is not taken in again",
    LineReason.UNREADABLE: "what stands there is none of its kind",
    LineReason.UNKNOWN: "the mapping does not know the word",
    LineReason.SOURCE_RANGE: "the source does not allow this value",
    LineReason.SKIPPED: "no behaviour, by a rule of the source",
}


def sentence(reason: str, source: Source, events: Contract) -> str:
    """What a reason, as a reject carries it, says in words."""
    if reason in SENTENCES:
        return SENTENCES[reason]
    for rule in events.rules:
        if rule.id == reason:
            return rule.sentence
    where, _, what = reason.partition(".")
    if where == LineReason.SKIPPED:
        return source.skip[what].why or SENTENCES[LineReason.SKIPPED]
    return f"{where}: {SENTENCES[what]}"
