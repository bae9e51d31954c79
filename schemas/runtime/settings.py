"""The settings: typed, strict, read from environment variables that start with ``CLICKWRIGHT_``.

An unknown ``CLICKWRIGHT_`` variable is an error, so that a misspelt setting cannot be ignored in silence.
``python -m schemas.runtime.settings`` prints every setting with its value, default and meaning.
"""

import argparse
import os
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.runtime.errors import ConfigError
from schemas.runtime.local_files import private_file

PREFIX = "CLICKWRIGHT_"
ROOT = Path(__file__).resolve().parents[2]
ALARM_CHANNELS = ("log", "smtp", "slack", "webhook")
"""The ways by which people can be told of a failed task or a late day; `dags.common.alerts` has them."""


class Settings(BaseSettings):
    """All settings, with their defaults. Paths that are not absolute are taken from the project's root."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    var: Path = Field(Path("var"), description="folder that holds all state")
    landing: Path | None = Field(None, description="landing zone; <var>/landing when not set")
    landing_is_ours: bool = Field(
        False, description="whether an erasure may rewrite landing files; if not, its receipt says which still hold the person"
    )
    sources: str = Field("movielens", description="names of the sources to read, comma-separated")
    session_gap_minutes: float = Field(30.0, gt=0, le=1440, description="a longer gap starts a new session")
    near_duplicate_seconds: float = Field(
        2.0, ge=0, description="the same behaviour again within this time, in one arrival, is a duplicate"
    )
    robot_events_per_day: int = Field(5000, gt=0, description="a user with more events in a day is set aside as no person")
    robot_chain_hours: float = Field(
        18.0, gt=0, description="a user who goes on for longer without a pause is set aside as no person"
    )
    pseudonym_key: SecretStr | None = Field(
        None,
        description="key of the user pseudonyms; a generated file <var>/secrets/pseudonym.key when not set",
    )
    catalog_uri: str | None = Field(
        None, description="SQLAlchemy address of the Iceberg catalog; SQLite in <var>/lake when not set"
    )
    audit_part_rows: int = Field(
        1_000_000, gt=0, description="rows that an audit holds in memory; a larger table is audited in parts"
    )
    object_store: str | None = Field(
        None,
        pattern=r"^s3://[^/]+(/[^/]+)*$",
        description="s3://bucket or s3://bucket/folder for the files of all tables; <var>/lake when not set",
    )
    object_store_endpoint: str | None = Field(
        None, pattern=r"^https?://", description="address of the object store; Amazon's own when not set"
    )
    object_store_region: str = Field("us-east-1", description="region of the object store")
    object_store_key_id: SecretStr | None = Field(
        None, description="access key id; found as Amazon's tools find it when not set"
    )
    object_store_key: SecretStr | None = Field(None, description="secret access key that belongs to object_store_key_id")
    spark_master: str = Field("local[2]", description="Spark master of jobs that are run from a shell")
    spark_shuffle_partitions: int = Field(4, gt=0, description="partitions of a shuffle")
    spark_driver_memory: str = Field("2g", description="heap of a Spark driver that is run from a shell")
    spark_driver_java_options: str = Field(
        "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        description="of a driver on this machine; the default suits jobs of seconds, make it empty for jobs of many minutes",
    )
    spark_class_archive: bool = Field(
        True, description="archive Spark's classes once, in about a minute, so that each job starts some seconds earlier"
    )
    mlflow_tracking_uri: str = Field("http://127.0.0.1:5000", description="MLflow server")
    mlflow_port: int = Field(5000, gt=0, lt=65536, description="port of the MLflow server of `make up`")
    airflow_port: int = Field(8080, gt=0, lt=65536, description="port of the Airflow server of `make up`")
    airflow_database: SecretStr | None = Field(
        None,
        description="address of Airflow's own database, postgresql+psycopg://...; SQLite in <var>/airflow when not set",
    )
    approvers: str = Field(
        "admin", description="who may answer whether a model is promoted, comma-separated; empty: whoever may edit the workflow"
    )
    gate_max_model_mb: float = Field(2000, gt=0, description="a model of more megabytes is not promoted")
    gate_max_ms_per_user: float = Field(
        50, gt=0, description="a model that takes more milliseconds to score a user, in a batch of 64, is not promoted"
    )
    recommend_on: Literal["here", "spark"] = Field(
        "here", description="where recommendations are made: in the process itself, or in tasks of the cluster of spark_master"
    )
    recommend_shard_users: int = Field(
        10_000, gt=0, description="users whose recommendations are made together; a killed run repeats only what it had begun"
    )
    recommend_relevance: float = Field(
        1.0,
        gt=0,
        le=1,
        description="weight of relevance against diversity in a list (maximal marginal relevance); 1: relevance alone",
    )
    recommend_explored: int = Field(
        0, ge=0, description="how many of a list's last places are drawn at random, with the propensity written down"
    )
    recommend_candidates: int = Field(
        100, gt=0, description="of how many of a user's best items a diverse list is made, and the last places are drawn"
    )
    alarms: str = Field(
        "log",
        description="how people are told of a failed task or a late day, comma-separated: log, smtp, slack, webhook "
        "(each but log through an Airflow connection: smtp_default, slackwebhook_default, alarm_webhook); empty: not at all",
    )
    alarm_recipients: str = Field("", validate_default=True, description="addresses that smtp sends alarms to, comma-separated")
    checkpoint_steps: int = Field(
        500, gt=0, description="a training of a network keeps a checkpoint every so many steps, and after each epoch"
    )
    train_processes: int = Field(1, gt=0, description="processes that train a network together, such as one for each GPU")
    compile_network: bool = Field(False, description="whether a network is compiled for its GPU before it is trained")
    registered_model: str = Field("recommender", description="name in the model registry")
    encoder: str = Field("", description="sentence encoder: path or hub id; the packaged MiniLM when empty")
    language_model: str = Field("", description="copywriter's model: path or hub id; the prepared SmolLM2 when empty")
    seed: int = Field(7, description="seed of everything random")

    @field_validator("var", "landing")
    @classmethod
    def _from_root(cls, value: Path | None) -> Path | None:
        return None if value is None else ROOT / value

    @field_validator("alarms")
    @classmethod
    def _known_channels(cls, value: str) -> str:
        if unknown := sorted(set(_names(value)) - set(ALARM_CHANNELS)):
            raise ValueError(f"there is no {', '.join(unknown)}, only {', '.join(ALARM_CHANNELS)}")
        return value

    @field_validator("alarm_recipients")
    @classmethod
    def _addresses(cls, value: str, info: ValidationInfo) -> str:
        if wrong := [address for address in _names(value) if not re.fullmatch(r"[^@\s]+@[^@\s]+", address)]:
            raise ValueError(f"{', '.join(wrong)} is no address")
        if "smtp" in _names(info.data.get("alarms", "")) and not _names(value):
            raise ValueError(f"{PREFIX}ALARMS has smtp, which needs an address")
        return value

    @property
    def root(self) -> Path:
        return ROOT

    @property
    def landing_dir(self) -> Path:
        return self.landing or self.var / "landing"

    @property
    def staging(self) -> Path:
        return self.var / "staging"

    @property
    def lake_dir(self) -> Path:
        return self.var / "lake"

    @property
    def table_files(self) -> Path:
        """Where jobs write the Parquet files of all tables: a folder a table, and in it one an attempt."""
        return self.lake_dir / "data"

    @property
    def lake_files(self) -> str:
        """The folder of all files of the lake, as :mod:`schemas.lake.storage` names it."""
        return self.object_store or str(self.lake_dir)

    @property
    def object_store_keys(self) -> tuple[str, ...]:
        """Access key id and secret access key, or nothing.

        Raises:
            ConfigError: one without the other.
        """
        keys = [key.get_secret_value() for key in (self.object_store_key_id, self.object_store_key) if key is not None]
        if len(keys) == 1:
            raise ConfigError(
                f"{PREFIX}OBJECT_STORE_KEY_ID and {PREFIX}OBJECT_STORE_KEY belong together; in the environment; "
                "set both or none"
            )
        return tuple(keys)

    @property
    def audits(self) -> Path:
        return self.var / "audits"

    @property
    def erasures(self) -> Path:
        """Erasure requests while they are worked on, and the receipts of those that are done."""
        return self.var / "erasures"

    @property
    def erased(self) -> Path:
        """The list of erased persons, each a keyed hash of a pseudonym."""
        return self.erasures / "erased"

    @property
    def models(self) -> Path:
        return self.var / "models"

    @property
    def secrets(self) -> Path:
        return self.var / "secrets"

    @property
    def logs(self) -> Path:
        return self.var / "logs"

    @property
    def catalog(self) -> str:
        return self.catalog_uri or f"sqlite:///{self.lake_dir / 'catalog.db'}"

    @property
    def source_names(self) -> list[str]:
        return [name.strip() for name in self.sources.split(",") if name.strip()]

    @property
    def approver_names(self) -> list[str]:
        return [name.strip() for name in self.approvers.split(",") if name.strip()]

    @property
    def alarm_channels(self) -> list[str]:
        return list(dict.fromkeys(_names(self.alarms)))

    @property
    def alarm_addresses(self) -> list[str]:
        return _names(self.alarm_recipients)

    @property
    def session_gap(self) -> timedelta:
        return timedelta(minutes=self.session_gap_minutes)

    @property
    def robot_chain(self) -> timedelta:
        return timedelta(hours=self.robot_chain_hours)

    def environment(self) -> dict[str, str]:
        """The variables that give another process these settings, for what differs from the defaults."""
        values = {name: getattr(self, name) for name in self.model_fields_set}
        plain = {n: v.get_secret_value() if isinstance(v, SecretStr) else v for n, v in values.items() if v is not None}
        return {f"{PREFIX}{name}".upper(): str(value) for name, value in plain.items()}

    def pseudonym_secret(self) -> bytes:
        """The key of the pseudonyms: the setting, or a file made once that only its owner reads."""
        if self.pseudonym_key is not None:
            return self.pseudonym_key.get_secret_value().encode()
        return private_file(self.secrets / "pseudonym.key").encode()


def _names(value: str) -> list[str]:
    """What a comma-separated setting lists."""
    return [name.strip() for name in value.split(",") if name.strip()]


def get_settings() -> Settings:
    """The settings of this process.

    Raises:
        ConfigError: a value that is not allowed, or a ``CLICKWRIGHT_`` variable that is no setting.
    """
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    unknown = sorted(key for key in os.environ if key.upper().startswith(PREFIX) and key.upper() not in known)
    if unknown:
        raise ConfigError(
            f"unknown setting {', '.join(unknown)}; in the environment; "
            "correct or unset it (`python -m schemas.runtime.settings` lists what there is)"
        )
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(f"{PREFIX}{str(e['loc'][0]).upper()}={e['input']!r} ({e['msg']})" for e in error.errors())
        raise ConfigError(f"wrong setting {wrong}; in the environment; correct it") from None


def shown(value: str) -> str:
    """A setting as it may be printed: an address without the password in it."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", value)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Print every setting: value, default, meaning."""
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
