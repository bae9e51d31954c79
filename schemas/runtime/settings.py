"""The settings: typed, strict, read from environment variables that start with ``CLICKWRIGHT_``.

An unknown ``CLICKWRIGHT_`` variable is an error, so a misspelt setting cannot go unnoticed.
``python -m schemas.runtime.settings`` prints every setting with its value, default and meaning.
"""

import codecs
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError

from schemas.runtime.errors import ConfigError
from schemas.runtime.masking import shown
from schemas.runtime.setting_groups import PREFIX as PREFIX
from schemas.runtime.setting_groups import ROOT as ROOT
from schemas.runtime.setting_groups import (
    GateSettings,
    ServiceSettings,
    ServingSettings,
    SourceSettings,
    SparkSettings,
    StorageSettings,
    TrainingSettings,
)

SHORTEST_KEY = 32
"""Bytes of a key of HMAC-SHA-256: a shorter one is weaker than the hash (RFC 2104, section 3)."""


class Settings(
    ServingSettings, GateSettings, TrainingSettings, ServiceSettings, SparkSettings, SourceSettings, StorageSettings
):
    """All settings, with their defaults. Relative paths start at the project's root.

    The order of the groups is that of the printed list, from the last to the first.
    """

    pseudonym_key: SecretStr | None = Field(
        None,
        description="secret key of the user pseudonyms, at least 32 characters; "
        "default: <var>/secrets/pseudonym.key, which the first run of an empty lake generates",
    )

    def environment(self) -> dict[str, str]:
        """The environment variables that pass these settings to another process; only settings that were set explicitly."""
        values = {name: getattr(self, name) for name in self.model_fields_set}
        plain = {n: v.get_secret_value() if isinstance(v, SecretStr) else v for n, v in values.items() if v is not None}
        return {f"{PREFIX}{name}".upper(): str(value) for name, value in plain.items()}

    @property
    def pseudonym_key_file(self) -> Path:
        return self.secrets / "pseudonym.key"

    @property
    def has_pseudonym_key(self) -> bool:
        """Whether there is a key, right or wrong."""
        return self.pseudonym_key is not None or self.pseudonym_key_file.exists()

    def pseudonym_secret(self) -> bytes:
        """The key of the pseudonyms: the setting, or the file that only its owner can read; without surrounding blanks.

        It does not make a key, and does not compare it with the lake's: commands call
        :func:`schemas.lake.pseudonym_key.pseudonym_key`.

        Raises:
            ConfigError: there is no key, or it is too short.
        """
        named = f"{PREFIX}PSEUDONYM_KEY"
        where = "in the environment" if self.pseudonym_key is not None else f"at {self.pseudonym_key_file}"
        if not self.has_pseudonym_key:
            raise ConfigError(f"the key of the pseudonyms is missing; {where}; put its backup back, or set {named}")
        given = self.pseudonym_key
        key = given.get_secret_value().encode() if given is not None else self.pseudonym_key_file.read_bytes()
        key = key.removeprefix(codecs.BOM_UTF8).strip()
        if len(key) < SHORTEST_KEY:
            raise ConfigError(
                f"the key of the pseudonyms has {len(key)} bytes instead of at least {SHORTEST_KEY}; {where}; "
                f"put the key of this lake back; for a new lake, unset {named} and remove the file: a key is generated"
            )
        return key


def get_settings() -> Settings:
    """The settings of this process, from its environment as it is now.

    Raises:
        ConfigError: a value is not allowed, or a ``CLICKWRIGHT_`` variable is not a setting.
    """
    return _read(tuple(sorted((name, value) for name, value in os.environ.items() if name.upper().startswith(PREFIX))))


@lru_cache(maxsize=8)
def _read(given: tuple[tuple[str, str], ...]) -> Settings:
    """Read the variables ``given``, once each set of them: a training asks hundreds of times, reading takes milliseconds."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    unknown = sorted(name for name, _ in given if name.upper() not in known)
    if unknown:
        raise ConfigError(
            f"unknown setting {', '.join(unknown)}; in the environment; "
            "correct or unset it (`python -m schemas.runtime.settings` lists all settings)"
        )
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(f"{PREFIX}{str(e['loc'][0]).upper()}={shown(repr(e['input']))} ({e['msg']})" for e in error.errors())
        names = " ".join(f"{PREFIX}{str(e['loc'][0]).upper()}" for e in error.errors())
        raise ConfigError(f"wrong setting {wrong}; in the environment; correct it, or run `unset {names}`") from None


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Print every setting with its value, default and meaning."""
    from schemas.runtime.cli import parser_of

    parser_of(__doc__, "python -m schemas.runtime.settings").parse_args(argv)
    settings = get_settings()
    return {
        f"{PREFIX}{name}".upper(): {
            "value": shown(str(getattr(settings, name))),
            "default": str(field.default),
            "meaning": field.description,
        }
        for name, field in Settings.model_fields.items()
    }


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
