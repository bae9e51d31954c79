"""The outcome of each line, and the kinds of defects in logs, each with the outcome that it must have.

The simulated world and the demonstration plant these defects.
"""

from enum import StrEnum


class Outcome(StrEnum):
    """The outcome of a line."""

    EVENT = "event"
    REJECT = "reject"
    EXACT_DUPLICATE = "exact_duplicate"
    NEAR_DUPLICATE = "near_duplicate"


class Defect(StrEnum):
    """A kind of planted line: its name, the outcome that it must have, and a description.

    >>> Defect.ROBOT.expected.value, Defect.ROBOT.description
    ('reject', "a bot with a bot's user agent")
    """

    expected: Outcome
    description: str

    def __new__(cls, value: str, expected: Outcome = Outcome.REJECT, description: str = "") -> "Defect":
        member = str.__new__(cls, value)
        member._value_, member.expected, member.description = value, expected, description
        return member

    EXACT_DUPLICATE = "exact_duplicate", Outcome.EXACT_DUPLICATE, "the same line sent twice"
    NEAR_DUPLICATE = "near_duplicate", Outcome.NEAR_DUPLICATE, "the same behaviour repeated a second later, under a new id"
    BROKEN_JSON = "broken_json", Outcome.REJECT, "a line cut off in the middle"
    NOT_UTF8 = "not_utf8", Outcome.REJECT, "a line with bytes that are not valid UTF-8"
    MISSING_USER = "missing_user", Outcome.REJECT, "no user: null, empty, blank or missing"
    IMPOSSIBLE_TIME = "impossible_time", Outcome.REJECT, "an impossible time, such as 1970 or 30 February"
    BAD_VALUE = "bad_value", Outcome.REJECT, "a value that is negative, absurdly large or a word"
    UNKNOWN_TYPE = "unknown_type", Outcome.REJECT, "an event type without an entry in the source's mapping"
    TOO_LATE = "too_late", Outcome.REJECT, "an event that arrives eight days after it happened"
    ID_CONFLICT = "id_conflict", Outcome.REJECT, "an id that another event of the user already has"
    ROBOT = "robot", Outcome.REJECT, "a bot with a bot's user agent"
    RUNAWAY = "runaway", Outcome.REJECT, "a user with too many events in a day for a person"
    LATE = "late", Outcome.EVENT, "a real event that arrives one to three days after it happened"
