"""Source mappings: YAML files that say how a source's lines become events. To add a source, add a file to ``sources/``."""

import codecs
from datetime import date, datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from schemas.contract import load_contract
from schemas.json_path import steps_of
from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import Settings
from schemas.runtime.terminal import printable
from schemas.time_format import time_format

SOURCES = Path(__file__).parent / "sources"
NEEDED = {"user_id", "event_type", "event_time"}
TICKS_A_SECOND = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000, "epoch_ns": 1_000_000_000}
LONGEST_NAME = 200
"""Bytes of a folder's name; file systems allow 255."""
ONLY_FOR = {
    "delimiter": ("csv",),
    "quote": ("csv",),
    "fields": ("csv",),
    "encoding": ("csv", "pattern"),
    "pattern": ("pattern",),
}
"""Options that only some formats have."""


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


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """The origin of a column's value in a line.

    Give one of ``path``: a field name, or for JSON lines and Parquet a path of ``schemas.json_path``; ``paths``: several paths
    whose values are joined, of which the first must be present; ``constant``: the same value for every line.
    """

    path: str | None = None
    paths: tuple[str, ...] | None = Field(None, min_length=2)
    joined_by: str = Field(" ", description="separator between the joined values of paths")
    person: tuple[str, ...] | None = Field(None, min_length=1, description="user_id: those of paths that name the person")
    constant: str | None = None
    default: str | None = Field(None, description="value for lines that have none")
    separator: str | None = Field(None, min_length=1, description="separator of the values, for a column that is a list")
    minimum: float | None = Field(None, description="lower bound of the source, where it is stricter than the contract")
    maximum: float | None = Field(None, description="upper bound of the source, where it is stricter than the contract")

    @model_validator(mode="after")
    def _one_origin(self) -> "Column":
        if sum(origin is not None for origin in (self.path, self.paths, self.constant)) != 1:
            raise ValueError("give one of path, paths and constant")
        return self

    @property
    def origins(self) -> tuple[str, ...]:
        """The paths of its value in a line; none for a constant."""
        return (self.path,) if self.path is not None else self.paths or ()


class Robots(_Strict):
    """Declared bots: lines whose value at ``path`` matches ``pattern`` are excluded."""

    path: str
    pattern: str

    _matchable = field_validator("pattern")(matchable)


class Skip(_Strict):
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


class Items(_Strict):
    """The source's item catalogue: its folder in the landing zone, next to the events, and its columns."""

    folder: str
    columns: dict[str, Column]

    _in_landing = field_validator("folder")(folder_name)


class Source(_Strict):
    """A source mapping. Unknown keys are errors."""

    name: str
    description: str = ""
    format: Literal["json_lines", "csv", "parquet", "pattern"] = "json_lines"
    delimiter: str = Field(",", description="csv: separator between fields; one character")
    quote: str | None = Field('"', description="csv: quote character around fields that contain a delimiter; null for none")
    fields: tuple[str, ...] | None = Field(None, description="csv: field names, for files without a header")
    encoding: str = Field("utf-8", description="csv, pattern: character encoding, such as latin-1")
    pattern: str | None = Field(
        None, description="pattern: regular expression for a whole line, with named groups (?P<name>...)"
    )
    nothing: tuple[str, ...] = Field((), description="texts that mean null, such as '-' or NULL")
    time_zone: str = "UTC"
    time_format: str = Field(
        "iso", description="iso, epoch_s, epoch_ms, epoch_us, epoch_ns, or a format of strptime such as %d/%b/%Y:%H:%M:%S %z"
    )
    time_origin: datetime | None = Field(None, description="epoch formats: the moment from which times count, if not 1970")
    dates_only: bool = Field(
        False, description="whether a date without a time of day is read, as midnight in the source's time zone"
    )
    decimal: str = Field(".", description="decimal sign of numbers")
    thousands: str | None = Field(None, description="separator of thousands in numbers, such as . or a blank")
    first_day: date | None = Field(None, description="first arrival day on which the source delivers")
    last_day: date | None = Field(None, description="last arrival day on which the source delivers")
    columns: dict[str, Column]
    event_types: dict[str, str] = Field(description="the source's event type: the contract's event type")
    skip: dict[str, Skip] = Field({}, description="rule name: the lines that the rule excludes")
    robots: Robots | None = None
    items: Items | None = None

    _in_landing = field_validator("name")(folder_name)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"unknown time zone {value!r}") from None
        return value

    @model_validator(mode="after")
    def _names_a_moment(self) -> "Source":
        if self.time_format in TICKS_A_SECOND:
            if self.dates_only:
                raise ValueError(f"dates_only is not for the time format {self.time_format}, whose times are moments")
            return self
        if self.time_origin is not None:
            raise ValueError(f"time_origin is only for the time formats {', '.join(TICKS_A_SECOND)}")
        if self.time_format != "iso":
            if "%" not in self.time_format:
                known = ", ".join(["iso", *TICKS_A_SECOND])
                raise ValueError(f"unknown time format {self.time_format!r}; use {known}, or a format such as %m/%d/%Y %H:%M")
            try:
                time_format(self.time_format, self.dates_only)
            except ValueError as error:
                raise ValueError(f"time_format: {error}") from None
        return self

    @model_validator(mode="after")
    def _person_is_part_of_the_id(self) -> "Source":
        for name, column in self.columns.items():
            if column.person is not None and name != "user_id":
                raise ValueError(f"person is only for user_id; {name} has it")
            if unknown := sorted(set(column.person or ()) - set(column.origins)):
                raise ValueError(
                    f"person of user_id names {', '.join(unknown)}; use paths of user_id: {', '.join(column.origins)}"
                )
        return self

    @model_validator(mode="after")
    def _numbers_are_unambiguous(self) -> "Source":
        if self.decimal not in (".", ","):
            raise ValueError(f"decimal is {self.decimal!r}; use a full stop or a comma")
        if self.thousands is not None and (len(self.thousands) != 1 or self.thousands.isalnum() or self.thousands in "+-"):
            raise ValueError(f"thousands is {self.thousands!r}; use one character, such as a full stop, a comma or a blank")
        if self.thousands == self.decimal:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}; use different signs")
        return self

    @field_validator("delimiter", "quote")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is not None and (len(value) != 1 or not value.isascii() or value in "\r\n"):
            raise ValueError(f"{value!r} is not one ASCII character")
        return value

    @field_validator("encoding")
    @classmethod
    def _keeps_ascii(cls, value: str) -> str:
        ascii_text = "".join(map(chr, range(128)))
        try:
            kept = ascii_text.encode(value) == ascii_text.encode()
        except LookupError:
            raise ValueError(f"unknown encoding {value!r}") from None
        if not kept:
            raise ValueError(f"encoding {value!r} is not a superset of ASCII; use files in another encoding")
        return codecs.lookup(value).name

    @field_validator("skip")
    @classmethod
    def _named_as_reasons(cls, value: dict[str, Skip]) -> dict[str, Skip]:
        if wrong := [name for name in value if not name.isidentifier() or not name.islower()]:
            raise ValueError(f"{wrong[0]!r} is not a valid rule name; use lower-case letters, digits and _")
        return value

    @model_validator(mode="after")
    def _fits_its_format(self) -> "Source":
        for option in sorted(self.model_fields_set & set(ONLY_FOR)):
            if self.format not in ONLY_FOR[option]:
                raise ValueError(
                    f"{option} is only for the format {' or '.join(ONLY_FOR[option])}; the format is {self.format}"
                )
        if self.format == "pattern":
            known = set(_groups(self.pattern))
            if unknown := sorted(path for path in self.paths if path not in known):
                raise ValueError(f"the pattern has no group {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        if self.format == "csv" and self.fields is not None and (unknown := sorted(self.paths - set(self.fields))):
            raise ValueError(f"fields has no {', '.join(unknown)}")
        if self.format in ("json_lines", "parquet"):
            for path in sorted(self.paths):
                steps_of(path)
        return self

    @model_validator(mode="after")
    def _fits_the_contracts(self) -> "Source":
        mappable = load_contract("events").mappable
        if unknown := sorted(set(self.columns) - mappable):
            raise ValueError(f"unknown columns {', '.join(unknown)}; can map {', '.join(sorted(mappable))}")
        if missing := sorted(NEEDED - set(self.columns)):
            raise ValueError(f"missing columns {', '.join(missing)}")
        allowed = next(r.allowed for r in load_contract("events").rules if r.id == "event_type.allowed")
        if wrong := sorted(set(self.event_types.values()) - set(allowed)):
            raise ValueError(f"unknown event types {', '.join(wrong)}; the contract has {', '.join(allowed)}")
        return self

    @property
    def paths(self) -> set[str]:
        """Every path of an event line that the mapping reads."""
        of_columns = {path for column in self.columns.values() for path in column.origins}
        of_rules = {rule.path for rule in self.skip.values()} | ({self.robots.path} if self.robots else set())
        return of_columns | of_rules

    @property
    def of_catalogue(self) -> "Source":
        """The same mapping for lines of the catalogue, which are read with the rules of event lines."""
        return self.model_copy(update={"columns": self.items.columns if self.items else {}, "skip": {}, "robots": None})

    def delivers_on(self, day: date) -> bool:
        """Whether the source delivers on an arrival day: between ``first_day`` and ``last_day``, both included."""
        return (self.first_day is None or day >= self.first_day) and (self.last_day is None or day <= self.last_day)


def _groups(pattern: str | None) -> list[str]:
    import polars as pl

    if pattern is None:
        raise ValueError("the format pattern needs a pattern with named groups")
    groups = pl.Series([""]).str.extract_groups(matchable(pattern)).struct.fields
    return [name for name in groups if not name.isdigit()]


def load_source(name: str, folder: Path = SOURCES) -> Source:
    """Load a source mapping by its name.

    Args:
        name: name of the source.
        folder: folder of the mappings, one ``<name>.yaml`` each.

    Raises:
        ConfigError: the source has no mapping, or the mapping is not valid.

    >>> load_source("movielens").format
    'json_lines'
    """
    path = folder / f"{name}.yaml"
    if path.parent != folder or not path.exists():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
        raise ConfigError(f"no source {name!r}; in {folder}; known are {known}: add a mapping or correct CLICKWRIGHT_SOURCES")
    return read_source(path)


def catalogue_tables(settings: Settings) -> list[str]:
    """``items`` as an input of a job, or nothing if no source has a catalogue."""
    return ["items"] if has_catalogue(settings) else []


def has_catalogue(settings: Settings) -> bool:
    """Whether any source of the settings delivers a catalogue. Without one, items are known only from events."""
    return any(load_source(name).items is not None for name in settings.source_names)


def read_source(path: Path) -> Source:
    """Read a source mapping from a file.

    Raises:
        ConfigError: the mapping is not valid.
    """
    try:
        return Source.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        what, place = str(error), ""
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            what, place = first["msg"].removeprefix("Value error, "), ".".join(map(str, first["loc"]))
        where = place or "the mapping"
        raise ConfigError(f"source mapping is not valid: {what}; at {where} in {path}; correct it") from None
