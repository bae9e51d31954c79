"""How a source's lines become events: a small strict mapping in YAML. Adding a source is adding a file under ``sources/``."""

from datetime import date
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from schemas.contract import load_contract
from schemas.errors import ConfigError

SOURCES = Path(__file__).parent / "sources"
MADE_BY_CLEAN = {
    "event_date", "arrived_on", "source", "source_file", "line_number", "arrived_at", "lag_seconds", "days_late",
}  # fmt: skip
NEEDED = {"user_id", "event_type", "event_time"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """Where a column's text stands in a line. ``path`` is dotted; ``constant`` stands for every line instead."""

    path: str | None = None
    constant: str | None = None
    minimum: float | None = Field(None, description="what the source allows, where that is narrower than the contract")
    maximum: float | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> "Column":
        if (self.path is None) == (self.constant is None):
            raise ValueError("give path or constant")
        return self


class Robots(_Strict):
    """Declared robots: lines whose text at ``path`` matches ``pattern`` are set aside."""

    path: str
    pattern: str


class Items(_Strict):
    """The source's catalogue: a folder beside its events in the landing zone."""

    folder: str
    columns: dict[str, Column]


class Source(_Strict):
    """A source mapping. An unknown key is an error."""

    name: str
    description: str = ""
    format: Literal["json_lines"] = "json_lines"
    time_zone: str = "UTC"
    time_format: Literal["iso", "epoch_s", "epoch_ms"] = "iso"
    first_day: date | None = Field(None, description="first arrival day that the source delivers")
    last_day: date | None = Field(None, description="last arrival day that the source delivers")
    columns: dict[str, Column]
    event_types: dict[str, str] = Field(description="the source's word for a behaviour: the contract's")
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

    def delivers_on(self, day: date) -> bool:
        """Whether an arrival day lies in the source's lifetime."""
        return (self.first_day is None or day >= self.first_day) and (self.last_day is None or day <= self.last_day)


def load_source(name: str, folder: Path = SOURCES) -> Source:
    """The mapping of a source, by its name.

    Raises:
        ConfigError: there is none, or it is not valid.
    """
    path = folder / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
        raise ConfigError(f"no source {name!r}; in {folder}; known are {known}: add a mapping or correct CLICKWRIGHT_SOURCES")
    try:
        return Source.model_validate(yaml.safe_load(path.read_text()))
    except (ValidationError, yaml.YAMLError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"msg": str(error), "loc": ()}
        where = ".".join(map(str, first["loc"])) or "the mapping"
        raise ConfigError(f"source mapping is not valid: {first['msg']}; at {where} in {path}; correct it") from None
