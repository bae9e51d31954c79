"""The settings: typed, strict, read from environment variables that start with ``CLICKWRIGHT_``.

An unknown ``CLICKWRIGHT_`` variable is an error, so a misspelt setting cannot go unnoticed.
``python -m schemas.runtime.settings`` prints every setting with its value, default and meaning.
"""

import argparse
import os
import re
from collections.abc import Sequence
from typing import Any

from pydantic import Field, SecretStr, ValidationError

from schemas.runtime.errors import ConfigError
from schemas.runtime.local_files import private_file
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


class Settings(
    ServingSettings, GateSettings, TrainingSettings, ServiceSettings, SparkSettings, SourceSettings, StorageSettings
):
    """All settings, with their defaults. Relative paths start at the project's root.

    The order of the groups is that of the printed list, from the last to the first.
    """

    pseudonym_key: SecretStr | None = Field(
        None,
        description="secret key of the user pseudonyms; default: a generated key in <var>/secrets/pseudonym.key",
    )

    def environment(self) -> dict[str, str]:
        """The environment variables that pass these settings to another process; only settings that were set explicitly."""
        values = {name: getattr(self, name) for name in self.model_fields_set}
        plain = {n: v.get_secret_value() if isinstance(v, SecretStr) else v for n, v in values.items() if v is not None}
        return {f"{PREFIX}{name}".upper(): str(value) for name, value in plain.items()}

    def pseudonym_secret(self) -> bytes:
        """The key of the pseudonyms: the setting, or a generated file that only its owner can read."""
        if self.pseudonym_key is not None:
            return self.pseudonym_key.get_secret_value().encode()
        return private_file(self.secrets / "pseudonym.key").encode()


def get_settings() -> Settings:
    """Read the settings of this process from its environment.

    Raises:
        ConfigError: a value is not allowed, or a ``CLICKWRIGHT_`` variable is not a setting.
    """
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    unknown = sorted(key for key in os.environ if key.upper().startswith(PREFIX) and key.upper() not in known)
    if unknown:
        raise ConfigError(
            f"unknown setting {', '.join(unknown)}; in the environment; "
            "correct or unset it (`python -m schemas.runtime.settings` lists all settings)"
        )
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(f"{PREFIX}{str(e['loc'][0]).upper()}={e['input']!r} ({e['msg']})" for e in error.errors())
        raise ConfigError(f"wrong setting {wrong}; in the environment; correct it") from None


def shown(value: str) -> str:
    """A setting's value for printing: the password in a URI is masked.

    >>> shown("postgresql://lake:s3cret@db/lake")
    'postgresql://lake:***@db/lake'
    """
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", value)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Print every setting with its value, default and meaning."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None).parse_args(argv)
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
