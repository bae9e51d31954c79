"""The parts of a source mapping: columns, rules on whole lines, the catalogue, and the checks of patterns and names."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.runtime.terminal import printable

WHOLE_LINE = "_whole_line"
"""The group of the whole line in a pattern."""
LONGEST_NAME = 200
"""Bytes of a folder's name; file systems allow 255."""


def matchable(pattern: str) -> str:
    """Check that the jobs' engine supports a regular expression; it has no look-around and no back references.

    Raises:
        ValueError: the engine does not support it.

    >>> matchable("^C")
    '^C'
    """
    import polars as pl

    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        why = [line.strip().removeprefix("error: ") for line in str(error).splitlines() if "error: " in line]
        raise ValueError(f"not a valid regular expression: {why[-1] if why else pattern}") from None
    return pattern


def whole_line(pattern: str) -> str:
    r"""The expression that a whole line must match, with the group ``WHOLE_LINE`` around it.

    >>> whole_line("(?P<who>.*)")
    '^(?P<_whole_line>(?:(?P<who>.*)))$'
    >>> whole_line("(?x) (?P<who>.*)  # a line feed ends the comment")[-4:]
    '\n))$'

    Raises:
        ValueError: the jobs' engine does not support it.
    """
    try:
        return matchable(f"^(?P<{WHOLE_LINE}>(?:{pattern}))$")
    except ValueError:
        return matchable(f"^(?P<{WHOLE_LINE}>(?:{pattern}\n))$")


def folder_name(name: str) -> str:
    """Check that a name is that of a folder of its own in the landing zone.

    Raises:
        ValueError: it is another folder, such as ``..``, or a hidden one, or holds characters that cannot be read in messages.

    >>> folder_name("shop-items")
    'shop-items'
    """
    if not name.strip() or name.startswith(".") or "/" in name or "\\" in name or printable(name) != name:
        raise ValueError(f"{printable(name)!r} is not the name of a folder; use letters, digits, - and _")
    if len(name.encode()) > LONGEST_NAME:
        raise ValueError(f"the name of a folder has at most {LONGEST_NAME} bytes")
    return name


class Strict(BaseModel):
    """A part whose unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(Strict):
    """The origin of a column's value in a line.

    Give one of ``path``: a field name or a path of ``schemas.json_path``; ``paths``: several paths whose values are joined, of
    which the first must be present; ``first_of``: several paths of which the first with a value counts; ``constant``: the same
    value for every line.
    """

    path: str | None = None
    paths: tuple[str, ...] | None = Field(None, min_length=2)
    first_of: tuple[str, ...] | None = Field(None, min_length=2)
    joined_by: str = Field(" ", description="separator between the joined values of paths")
    person: tuple[str, ...] | None = Field(None, min_length=1, description="user_id: those of paths that name the person")
    constant: str | None = None
    default: str | None = Field(None, description="value for lines that have none")
    digest: bool = Field(
        False, description="event_id: whether the SHA-256 of its text is the id, for ids of many or of long parts"
    )
    optional: bool = Field(False, description="whether all CSV or Parquet files of a day may lack the column")
    url_decoded: bool = Field(False, description="whether percent-encoded characters are decoded (RFC 3986, UTF-8)")
    values: dict[str, str] = Field(
        {}, description="a word of the source: the value that it stands for; others stay as they are"
    )
    separator: str | None = Field(None, min_length=1, description="separator of the values, for a column that is a list")
    minimum: float | None = Field(None, description="lower bound of the source, where it is stricter than the contract")
    maximum: float | None = Field(None, description="upper bound of the source, where it is stricter than the contract")

    @model_validator(mode="after")
    def _one_origin(self) -> "Column":
        if sum(origin is not None for origin in (self.path, self.paths, self.first_of, self.constant)) != 1:
            raise ValueError("give one of path, paths, first_of and constant")
        return self

    @property
    def origins(self) -> tuple[str, ...]:
        """The paths of its value in a line; none for a constant."""
        return (self.path,) if self.path is not None else self.paths or self.first_of or ()


class Robots(Strict):
    """Declared bots: lines whose value at ``path`` matches ``pattern`` are excluded."""

    path: str
    pattern: str

    _matchable = field_validator("pattern")(matchable)


class Skip(Strict):
    """A rule of the source that excludes lines which are not user behaviour.

    A line is excluded if its value at ``path`` matches ``pattern``, does not match ``unless`` (a missing value never matches),
    or is ``missing``. Excluded lines become rejects with the reason ``source.<name of the rule>``. No other rule is applied to
    them, and they do not count towards the share of rejects at which a day is refused.
    """

    path: str
    pattern: str | None = None
    unless: str | None = None
    missing: Literal[True] | None = None
    private: bool = Field(
        False, description="whether the excluded lines may be about a person; their rejects then show nothing"
    )
    why: str = Field("", description="the reason as a sentence")

    @field_validator("pattern", "unless")
    @classmethod
    def _matchable(cls, value: str | None) -> str | None:
        return value if value is None else matchable(value)

    @model_validator(mode="after")
    def _one_test(self) -> "Skip":
        if sum(test is not None for test in (self.pattern, self.unless, self.missing)) != 1:
            raise ValueError("give one of pattern, unless and missing")
        return self


class Items(Strict):
    """The source's item catalogue: its folder in the landing zone, next to the events, and its columns."""

    folder: str
    columns: dict[str, Column]

    _in_landing = field_validator("folder")(folder_name)


class RulesLike(Strict):
    """The mapping whose `skip` and bot rules are taken over, and the present names of the values that they read.

    Without ``paths`` all rules are taken over as they are; else those on a value that it renames.
    """

    source: str
    paths: dict[str, str] | None = None
    without: tuple[str, ...] = Field((), description="the names of skip rules that are not taken over")


def groups_of(pattern: str | None) -> tuple[str, ...]:
    """The named groups of a pattern.

    Raises:
        ValueError: there is no pattern, or it is not valid.
    """
    import polars as pl

    if pattern is None:
        raise ValueError("the format pattern needs a pattern with named groups")
    groups = pl.Series([""]).str.extract_groups(whole_line(matchable(pattern))).struct.fields
    return tuple(name for name in groups if not name.isdigit() and name != WHOLE_LINE)
