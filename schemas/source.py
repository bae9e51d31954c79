"""Source mappings: YAML files that say how a source's lines become events. To add a source, add a file to ``sources/``."""

import codecs
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from schemas.contract import load_contract
from schemas.json_path import inside_columns, lists_of, placed
from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import Settings
from schemas.shared_rules import with_shared_rules
from schemas.source_parts import Column, Items, Robots, RulesLike, Skip, Strict, folder_name, groups_of
from schemas.strict_yaml import read_yaml
from schemas.time_format import time_format

SOURCES = Path(__file__).parent / "sources"
NEEDED = {"user_id", "event_type", "event_time"}
COMMENT_RULE = "comment"
NEEDED_OF_ITEMS = {"item_id", "title"}
TICKS_A_SECOND = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000, "epoch_ns": 1_000_000_000}
WIDE_ENCODINGS = ("utf-16", "utf-32", "utf-8-sig")
"""Encodings that are not supersets of ASCII, and are read all the same."""
ONLY_FOR = {
    "delimiter": ("csv",),
    "quote": ("csv",),
    "fields": ("csv",),
    "escape": ("csv",),
    "comment": ("csv", "pattern"),
    "header": ("csv",),
    "extra_fields": ("csv",),
    "encoding": ("csv", "pattern", "json_lines"),
    "pattern": ("pattern",),
    "each": ("json_lines", "parquet"),
}
"""Options that only some formats have."""


class Source(Strict):
    """A source mapping. Unknown keys are errors."""

    name: str
    description: str = ""
    format: Literal["json_lines", "csv", "parquet", "pattern"] = "json_lines"
    delimiter: str = Field(",", description="csv: separator between fields; one character")
    quote: str | None = Field('"', description="csv: quote character around fields that contain a delimiter; null for none")
    fields: tuple[str, ...] | None = Field(None, description="csv: field names, for files without a header")
    escape: str | None = Field(None, description="csv: character that escapes a quote or a delimiter, such as a backslash")
    comment: str | None = Field(None, min_length=1, description="csv, pattern: how lines begin that are not data, such as #")
    header: Literal["w3c"] | None = Field(None, description="csv: w3c if lines `#Fields: ...` name the fields, and change them")
    extra_fields: bool = Field(
        False, description="csv: whether a record may have more fields than the header; they are ignored"
    )
    encoding: str = Field("utf-8", description="text formats: character encoding, such as latin-1 or utf-16")
    pattern: str | None = Field(
        None, description="pattern: regular expression for a whole line, with named groups (?P<name>...)"
    )
    each: str | None = Field(
        None, description="path of a list whose elements are events, such as items[], or [] for the line itself"
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
    rules_like: RulesLike | None = Field(None, description="another mapping whose skip and bot rules are taken over")
    items: Items | None = None

    @model_validator(mode="before")
    @classmethod
    def _takes_over_rules(cls, mapping: Any) -> Any:
        return with_shared_rules(mapping, SOURCES) if isinstance(mapping, dict) else mapping

    _in_landing = field_validator("name")(folder_name)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        import polars as pl

        try:
            ZoneInfo(value)
            pl.Series([0], dtype=pl.Datetime("us")).dt.replace_time_zone(value)  # the jobs' engine knows fewer names
        except (ZoneInfoNotFoundError, ValueError, pl.exceptions.ComputeError):
            raise ValueError(f"unknown time zone {value!r}; use a name such as Europe/Berlin") from None
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

    @field_validator("delimiter", "quote", "escape")
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
            name = codecs.lookup(value).name
            kept = name.startswith(WIDE_ENCODINGS) or ascii_text.encode(name) == ascii_text.encode()
        except LookupError:  # also that of a codec that makes no texts, such as hex
            raise ValueError(f"unknown encoding {value!r}") from None
        if not kept:
            raise ValueError(f"encoding {value!r} is not a superset of ASCII; use files in another encoding")
        return name.removesuffix("-sig")  # the readers take away the byte order mark

    @field_validator("skip")
    @classmethod
    def _named_as_reasons(cls, value: dict[str, Skip]) -> dict[str, Skip]:
        if wrong := [name for name in value if not name.isidentifier() or not name.islower()]:
            raise ValueError(f"{wrong[0]!r} is not a valid rule name; use lower-case letters, digits and _")
        if COMMENT_RULE in value:
            raise ValueError(f"{COMMENT_RULE!r} is the name of the reason for comments; give the rule another one")
        return value

    @model_validator(mode="after")
    def _fits_its_format(self) -> "Source":
        for option in sorted(self.model_fields_set & set(ONLY_FOR)):
            if self.format not in ONLY_FOR[option]:
                raise ValueError(
                    f"{option} is only for the format {' or '.join(ONLY_FOR[option])}; the format is {self.format}"
                )
        if self.format == "csv":
            marks = [mark for mark in (self.delimiter, self.quote, self.escape) if mark is not None]
            if len(set(marks)) < len(marks):
                raise ValueError(
                    "delimiter, quote and escape are not three characters; for a file without quotes write quote: null"
                )
            if self.header is not None and self.fields is not None:
                raise ValueError("give one of header and fields: a w3c header names the fields itself")
        if self.each is not None:
            self._expect_lists(self.each)
        for place, path in self._placed_paths:
            try:
                self._expect_readable(path, self.each if not place.startswith("items.") else None)
            except ValueError as error:
                raise ValueError(f"{place}: {error}") from None
        return self

    def _expect_lists(self, each: str) -> None:
        """Check that lines may have the lists of ``each``.

        Raises:
            ValueError: the path does not name a list, or a row is not a list.
        """
        if not lists_of(each)[0] and self.format == "parquet":
            raise ValueError(f"each is {each!r}, but a row of Parquet is not a list; name a column of lists, such as items[]")

    def _expect_readable(self, path: str, each: str | None) -> None:
        """Check that lines may have a value at a path.

        Raises:
            ValueError: the format cannot have such a path, or the mapping's fields or groups do not have it.
        """
        if self.format in ("json_lines", "parquet"):
            level, _ = placed(path, each)
            if level == 0 and each is not None and each.startswith("[]"):
                raise ValueError(f"each is {each!r}, so a line is a list; begin {path!r} with []")
            return
        known = self.groups if self.format == "pattern" else self.fields
        names = {path, *(name for name, _ in inside_columns(path))}
        if known is not None and names.isdisjoint(known):
            has = f"the pattern has no group {path}" if self.format == "pattern" else f"fields has no {path}"
            raise ValueError(f"{has}; it has {', '.join(sorted(known))}")

    @model_validator(mode="after")
    def _only_event_ids_are_digests(self) -> "Source":
        if wrong := sorted(name for name, column in self.columns.items() if column.digest and name != "event_id"):
            raise ValueError(f"digest is only for event_id; {wrong[0]} has it")
        return self

    @model_validator(mode="after")
    def _bounds_hold_something(self) -> "Source":
        kinds = {"columns": load_contract("events").polars_schema, "items.columns": load_contract("items").polars_schema}
        for place, columns in (("columns", self.columns), ("items.columns", self.items.columns if self.items else {})):
            for name, column in columns.items():
                if column.minimum is None and column.maximum is None:
                    continue
                if name in kinds[place] and not kinds[place][name].is_numeric():
                    raise ValueError(f"{place}.{name}: minimum and maximum are only for numbers")
                if column.minimum is not None and column.maximum is not None and column.minimum > column.maximum:
                    raise ValueError(f"{place}.{name}: the minimum {column.minimum} is above the maximum {column.maximum}")
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise ValueError(f"first_day {self.first_day} is after last_day {self.last_day}")
        if self.items is not None and self.items.folder == self.name:
            raise ValueError(f"items.folder is {self.name!r}, the folder of the events; give the catalogue a folder of its own")
        kind = self.columns.get("event_type")
        words = [word for word in (kind.constant, kind.default) if word is not None] if kind else []
        if unknown := [word for word in words if word not in self.event_types]:
            raise ValueError(f"event_types lacks {unknown[0]!r}, which event_type always has; add it")
        return self

    @model_validator(mode="after")
    def _fits_the_contracts(self) -> "Source":
        mappable = load_contract("events").mappable
        if unknown := sorted(set(self.columns) - mappable):
            raise ValueError(f"unknown columns {', '.join(unknown)}; can map {', '.join(sorted(mappable))}")
        if missing := sorted(NEEDED - set(self.columns)):
            raise ValueError(f"missing columns {', '.join(missing)}")
        in_catalogue = load_contract("items").mappable
        if self.items is not None and (unknown := sorted(set(self.items.columns) - in_catalogue)):
            raise ValueError(f"items: unknown columns {', '.join(unknown)}; can map {', '.join(sorted(in_catalogue))}")
        if self.items is not None and (missing := sorted(NEEDED_OF_ITEMS - set(self.items.columns))):
            raise ValueError(f"items: missing columns {', '.join(missing)}")
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
    def _placed_paths(self) -> list[tuple[str, str]]:
        """Every path that the mapping reads, each with its key in the mapping."""
        found = [(f"columns.{name}", path) for name, column in self.columns.items() for path in column.origins]
        found += [(f"skip.{name}", rule.path) for name, rule in self.skip.items()]
        found += [("robots", self.robots.path)] if self.robots else []
        of_items = self.items.columns.items() if self.items else ()
        return found + [(f"items.columns.{name}", path) for name, column in of_items for path in column.origins]

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The named groups of the pattern."""
        return groups_of(self.pattern) if self.format == "pattern" else ()

    @property
    def depth(self) -> int:
        """How many lists lie within each other in ``each``; 0 if each line is one event."""
        return 0 if self.each is None else len(lists_of(self.each))

    @property
    def id_level(self) -> int:
        """The innermost element from which the event id is read; 0 if it is read from the line, or the source has none."""
        column = self.columns.get("event_id")
        return max((placed(path, self.each)[0] for path in column.origins), default=0) if column and self.each else 0

    @property
    def person_level(self) -> int:
        """The innermost element from which the user id is read; 0 if it is read from the line."""
        return max((placed(path, self.each)[0] for path in self.columns["user_id"].origins), default=0) if self.each else 0

    @property
    def of_catalogue(self) -> "Source":
        """The same mapping for lines of the catalogue: each is one item, and is read with the rules of event lines."""
        columns = self.items.columns if self.items else {}
        return self.model_copy(update={"columns": columns, "skip": {}, "robots": None, "each": None})

    def delivers_on(self, day: date) -> bool:
        """Whether the source delivers on an arrival day: between ``first_day`` and ``last_day``, both included."""
        return (self.first_day is None or day >= self.first_day) and (self.last_day is None or day <= self.last_day)


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
        return Source.model_validate(read_yaml(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        what, place = str(error), ""
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            what, place = first["msg"].removeprefix("Value error, "), ".".join(map(str, first["loc"]))
        elif isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
            what, place = f"{error.problem}", f"line {error.problem_mark.line + 1}"
        where = place or "the mapping"
        raise ConfigError(
            f"source mapping is not valid: {' '.join(what.split())}; at {where} in {path}; "
            f"correct it, then run `python -m jobs.clean --check {path} FILE`"
        ) from None
