"""How a source's lines become events: a small strict mapping in YAML. Adding a source is adding a file under ``sources/``."""

import codecs
from datetime import date
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from schemas.contract import load_contract
from schemas.json_path import steps_of
from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import Settings

SOURCES = Path(__file__).parent / "sources"
MADE_BY_CLEAN = {
    "event_date", "arrived_on", "source", "source_file", "line_number", "arrived_at", "lag_seconds", "days_late",
}  # fmt: skip
NEEDED = {"user_id", "event_type", "event_time"}
TICKS_A_SECOND = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
NAMES_AN_HOUR = ("%H", "%I", "%k", "%l", "%T", "%R", "%X", "%c", "%s")
ONLY_FOR = {
    "delimiter": ("csv",),
    "quote": ("csv",),
    "fields": ("csv",),
    "encoding": ("csv", "pattern"),
    "pattern": ("pattern",),
}
"""Options that only some formats have."""


def matchable(pattern: str) -> str:
    """A regular expression that the engine of the jobs takes: without look-around and back references."""
    import polars as pl

    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        why = [line.strip().removeprefix("error: ") for line in str(error).splitlines() if "error: " in line]
        raise ValueError(f"no regular expression: {why[-1] if why else pattern}") from None
    return pattern


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """Where a column's text stands in a line.

    One of ``path``, a name or (JSON lines, Parquet) a path as ``schemas.json_path`` has it; ``paths``, several whose texts are
    joined, where the first has to be there; ``constant``, which stands for every line.
    """

    path: str | None = None
    paths: tuple[str, ...] | None = Field(None, min_length=2)
    joined_by: str = Field(" ", description="what stands between the texts of paths")
    constant: str | None = None
    default: str | None = Field(None, description="what stands there when the line says nothing")
    separator: str | None = Field(None, min_length=1, description="what a text is split by, for a column that is a list")
    minimum: float | None = Field(None, description="what the source allows, where that is narrower than the contract")
    maximum: float | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> "Column":
        if sum(origin is not None for origin in (self.path, self.paths, self.constant)) != 1:
            raise ValueError("give one of path, paths and constant")
        return self

    @property
    def origins(self) -> tuple[str, ...]:
        """Where its text, or the texts that it is joined from, stand in a line."""
        return (self.path,) if self.path is not None else self.paths or ()


class Robots(_Strict):
    """Declared robots: lines whose text at ``path`` matches ``pattern`` are set aside."""

    path: str
    pattern: str

    _matchable = field_validator("pattern")(matchable)


class Skip(_Strict):
    """Lines that are no behaviour by the source's own rules.

    Their text at ``path`` matches ``pattern``, or does not match ``unless`` (nothing at all does not match), or is ``missing``.
    They are rejects with the reason ``source.<name of the rule>``; nothing else is demanded of them, and they do not count
    towards the share of rejects at which a day is refused.
    """

    path: str
    pattern: str | None = None
    unless: str | None = None
    missing: Literal[True] | None = None
    why: str = Field("", description="the reason in words")

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
    """The source's catalogue: a folder beside its events in the landing zone."""

    folder: str
    columns: dict[str, Column]


class Source(_Strict):
    """A source mapping. An unknown key is an error."""

    name: str
    description: str = ""
    format: Literal["json_lines", "csv", "parquet", "pattern"] = "json_lines"
    delimiter: str = Field(",", description="csv: what stands between two fields; one character")
    quote: str | None = Field('"', description="csv: what stands around a field that holds a delimiter; null for nothing")
    fields: tuple[str, ...] | None = Field(None, description="csv: the names of the fields, for files without a header")
    encoding: str = Field("utf-8", description="csv, pattern: how letters are written, such as latin-1")
    pattern: str | None = Field(
        None, description="pattern: a regular expression of a whole line, its groups (?P<name>...) named"
    )
    nothing: tuple[str, ...] = Field((), description="texts that say that nothing stands there, such as '-' or NULL")
    time_zone: str = "UTC"
    time_format: str = Field("iso", description="iso, epoch_s, epoch_ms, epoch_us, or a format such as %d/%b/%Y:%H:%M:%S %z")
    first_day: date | None = Field(None, description="first arrival day that the source delivers")
    last_day: date | None = Field(None, description="last arrival day that the source delivers")
    columns: dict[str, Column]
    event_types: dict[str, str] = Field(description="the source's word for a behaviour: the contract's")
    skip: dict[str, Skip] = Field({}, description="name of a rule: lines that are no behaviour")
    robots: Robots | None = None
    items: Items | None = None

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"unknown time zone {value!r}") from None
        return value

    @field_validator("time_format")
    @classmethod
    def _names_a_moment(cls, value: str) -> str:
        if value != "iso" and value not in TICKS_A_SECOND and not any(hour in value for hour in NAMES_AN_HOUR):
            known = ", ".join(["iso", *TICKS_A_SECOND])
            raise ValueError(f"unknown time format {value!r}; use {known}, or a format with %H such as %m/%d/%Y %H:%M")
        return value

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
            raise ValueError(f"encoding {value!r} writes ASCII in its own way; have the files written in another")
        return codecs.lookup(value).name

    @field_validator("skip")
    @classmethod
    def _named_as_reasons(cls, value: dict[str, Skip]) -> dict[str, Skip]:
        if wrong := [name for name in value if not name.isidentifier() or not name.islower()]:
            raise ValueError(f"{wrong[0]!r} is no name of a reason; use small letters, digits and _")
        return value

    @model_validator(mode="after")
    def _fits_its_format(self) -> "Source":
        for option in sorted(self.model_fields_set & set(ONLY_FOR)):
            if self.format not in ONLY_FOR[option]:
                raise ValueError(f"{option} is for the format {' or '.join(ONLY_FOR[option])}, and this is {self.format}")
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
        mappable = set(load_contract("events").columns) - MADE_BY_CLEAN
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
        """Every place of an event line that the mapping names."""
        of_columns = {path for column in self.columns.values() for path in column.origins}
        of_rules = {rule.path for rule in self.skip.values()} | ({self.robots.path} if self.robots else set())
        return of_columns | of_rules

    def delivers_on(self, day: date) -> bool:
        """Whether an arrival day lies in the source's lifetime."""
        return (self.first_day is None or day >= self.first_day) and (self.last_day is None or day <= self.last_day)


def _groups(pattern: str | None) -> list[str]:
    import polars as pl

    if pattern is None:
        raise ValueError("the format pattern needs a pattern, with named groups")
    groups = pl.Series([""]).str.extract_groups(matchable(pattern)).struct.fields
    return [name for name in groups if not name.isdigit()]


def load_source(name: str, folder: Path = SOURCES) -> Source:
    """The mapping of a source, by its name.

    Raises:
        ConfigError: there is none, or it is not valid.
    """
    path = folder / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
        raise ConfigError(f"no source {name!r}; in {folder}; known are {known}: add a mapping or correct CLICKWRIGHT_SOURCES")
    return read_source(path)


def has_catalogue(settings: Settings) -> bool:
    """Whether any of the sources delivers a catalogue; where none does, items are known by their events alone."""
    return any(load_source(name).items is not None for name in settings.source_names)


def read_source(path: Path) -> Source:
    """The mapping in a file.

    Raises:
        ConfigError: it is not valid.
    """
    try:
        return Source.model_validate(yaml.safe_load(path.read_text()))
    except (ValidationError, yaml.YAMLError) as error:
        what, place = str(error), ""
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            what, place = first["msg"].removeprefix("Value error, "), ".".join(map(str, first["loc"]))
        where = place or "the mapping"
        raise ConfigError(f"source mapping is not valid: {what}; at {where} in {path}; correct it") from None
