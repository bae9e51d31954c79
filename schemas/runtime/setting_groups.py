"""The settings by domain; :class:`schemas.runtime.settings.Settings` is all of them together."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.runtime.errors import ConfigError
from schemas.runtime.local_files import sqlite_uri

PREFIX = "CLICKWRIGHT_"
ROOT = Path(__file__).resolve().parents[2]
ALARM_CHANNELS = ("log", "smtp", "slack", "webhook")
"""The channels for alerts about failed tasks and late days; `dags.common.alerts` implements them."""


class SettingsGroup(BaseSettings):
    """Settings of one domain, read from environment variables with one prefix."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)


class StorageSettings(SettingsGroup):
    """Where state lies: landing zone, lake, catalog, object store."""

    var: Path = Field(Path("var"), description="folder for all state")
    landing: Path | None = Field(None, description="folder of the landing zone; default: <var>/landing")
    landing_is_ours: bool = Field(
        False,
        description="whether an erasure may rewrite landing files; otherwise its receipt lists the files that hold the person",
    )
    catalog_uri: str | None = Field(None, description="SQLAlchemy URI of the Iceberg catalog; default: SQLite in <var>/lake")
    record_days: int = Field(
        90, gt=0, description="days for which audits, staging records, logs and the demonstration's report are kept"
    )
    object_store: str | None = Field(
        None,
        pattern=r"^s3://[^/]+(/[^/]+)*$",
        description="s3://bucket or s3://bucket/folder for the files of all tables; default: the local folder <var>/lake",
    )
    object_store_endpoint: str | None = Field(
        None, pattern=r"^https?://", description="endpoint URL of the object store; default: the endpoint of AWS"
    )
    object_store_region: str = Field("us-east-1", description="region of the object store")
    object_store_key_id: SecretStr | None = Field(None, description="access key id; default: the AWS credential chain")
    object_store_key: SecretStr | None = Field(None, description="secret access key of object_store_key_id")

    @field_validator("var", "landing")
    @classmethod
    def _from_root(cls, value: Path | None) -> Path | None:
        return None if value is None else ROOT / value

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
        """The folder into which jobs write Parquet files: one folder per table, and in it one per attempt."""
        return self.lake_dir / "data"

    @property
    def lake_files(self) -> str:
        """The root folder of the lake's files, as a name for :mod:`schemas.lake.storage`."""
        return self.object_store or str(self.lake_dir)

    @property
    def object_store_keys(self) -> tuple[str, ...]:
        """Access key id and secret access key; empty when neither is set.

        Raises:
            ConfigError: only one of the two is set.
        """
        keys = [key.get_secret_value() for key in (self.object_store_key_id, self.object_store_key) if key is not None]
        if len(keys) == 1:
            raise ConfigError(
                f"{PREFIX}OBJECT_STORE_KEY_ID and {PREFIX}OBJECT_STORE_KEY belong together; in the environment; "
                "set both or neither"
            )
        return tuple(keys)

    @property
    def audits(self) -> Path:
        return self.var / "audits"

    @property
    def erasures(self) -> Path:
        """The folder of unfinished erasure requests and of the receipts of finished ones."""
        return self.var / "erasures"

    @property
    def erased(self) -> Path:
        """The suppression list: one file per erased person, named by a keyed hash of the pseudonym."""
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
        return self.catalog_uri or sqlite_uri(self.lake_dir / "catalog.db")


class SourceSettings(SettingsGroup):
    """How logs become events and sessions, and how tables are audited."""

    sources: str = Field("movielens", description="sources to read: names of mappings, comma-separated")
    session_gap_minutes: float = Field(
        30.0, gt=0, le=1440, description="minutes without an event of the user after which the next event starts a new session"
    )
    near_duplicate_seconds: float = Field(
        2.0, ge=0, description="an event that repeats another of the same arrival within this many seconds is a duplicate"
    )
    robot_events_per_day: int = Field(5000, gt=0, description="users with more events a day are treated as bots")
    robot_chain_hours: float = Field(
        18.0, gt=0, description="users who are active for more hours without a pause are treated as bots"
    )
    landing_file_gb: float = Field(
        64, gt=0, description="a landing file that becomes larger than so many GiB when it is read is rejected as a whole"
    )
    landing_file_ratio: float = Field(
        100,
        ge=1,
        description="a landing file that becomes so many times larger than it is stored, and more than 16 MiB, "
        "is rejected as a whole",
    )
    landing_file_lines: int = Field(
        200_000_000,
        gt=0,
        description="a compressed or Parquet landing file with more lines is rejected as a whole; "
        "so is one with more than 100,000 lines and more than two lines a stored byte",
    )
    max_catalogue_loss: float = Field(
        0.1, ge=0, le=1, description="share of the known items that a new catalogue may lack; more is refused"
    )
    audit_part_rows: int = Field(
        1_000_000, gt=0, description="rows that an audit loads into memory at once; larger tables are audited in parts"
    )

    @property
    def source_names(self) -> list[str]:
        return [name.strip() for name in self.sources.split(",") if name.strip()]

    @property
    def session_gap(self) -> timedelta:
        return timedelta(minutes=self.session_gap_minutes)

    @property
    def robot_chain(self) -> timedelta:
        return timedelta(hours=self.robot_chain_hours)


class SparkSettings(SettingsGroup):
    """Spark for jobs that are started from a shell."""

    spark_master: str = Field("local[2]", description="Spark master for jobs that are started from a shell")
    spark_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="secret of a standalone Spark cluster: the spark.authenticate.secret of its master and workers",
    )
    spark_shuffle_partitions: int = Field(4, gt=0, description="number of shuffle partitions (spark.sql.shuffle.partitions)")
    spark_driver_memory: str = Field("2g", description="heap size of Spark drivers that are started from a shell")
    spark_driver_java_options: str = Field(
        "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        description="Java options of local Spark drivers; the default suits jobs of seconds; set it empty for long jobs",
    )
    spark_class_archive: bool = Field(
        True, description="create a class archive of Spark once, in about a minute; each job then starts some seconds faster"
    )


class ServiceSettings(SettingsGroup):
    """Airflow and MLflow: addresses, approvals, alerts."""

    fork_server: bool = Field(
        True,
        description="whether tasks run commands in processes that are forked from one with the libraries loaded, and local "
        "Spark jobs on one shared Spark; otherwise each command, and each Spark, starts by itself; Linux only",
    )
    mlflow_tracking_uri: str = Field("http://127.0.0.1:5000", description="URL of the MLflow server")
    mlflow_port: int = Field(5000, gt=0, lt=65536, description="port of the MLflow server that `make up` starts")
    airflow_port: int = Field(8080, gt=0, lt=65536, description="port of the Airflow server that `make up` starts")
    airflow_database: SecretStr | None = Field(
        None,
        description="URI of Airflow's metadata database, postgresql+psycopg://...; default: SQLite in <var>/airflow",
    )
    approvers: str = Field(
        "admin",
        description="Airflow users who may approve a promotion, comma-separated; empty: all users who may edit the workflow",
    )
    alarms: str = Field(
        "log",
        description="channels for alerts about failed tasks and late days, comma-separated: log, smtp, slack, webhook "
        "(all but log need an Airflow connection: smtp_default, slackwebhook_default, alarm_webhook); empty: no alerts",
    )
    alarm_recipients: str = Field("", validate_default=True, description="email recipients of smtp alerts, comma-separated")

    @field_validator("alarms")
    @classmethod
    def _known_channels(cls, value: str) -> str:
        if unknown := sorted(set(_names(value)) - set(ALARM_CHANNELS)):
            raise ValueError(f"unknown channel {', '.join(unknown)}; use {', '.join(ALARM_CHANNELS)}")
        return value

    @field_validator("alarm_recipients")
    @classmethod
    def _addresses(cls, value: str, info: ValidationInfo) -> str:
        if wrong := [address for address in _names(value) if not re.fullmatch(r"[^@\s]+@[^@\s]+", address)]:
            raise ValueError(f"{', '.join(wrong)} is not an email address")
        if "smtp" in _names(info.data.get("alarms", "")) and not _names(value):
            raise ValueError(f"the channel smtp of {PREFIX}ALARMS needs an email address")
        return value

    @property
    def approver_names(self) -> list[str]:
        return [name.strip() for name in self.approvers.split(",") if name.strip()]

    @property
    def alarm_channels(self) -> list[str]:
        return list(dict.fromkeys(_names(self.alarms)))

    @property
    def alarm_addresses(self) -> list[str]:
        return _names(self.alarm_recipients)


class TrainingSettings(SettingsGroup):
    """Trainings, and the models that they start from."""

    item_min_people: int = Field(
        5,
        gt=0,
        description="people who must have met an item that no catalogue lists, before it is learnt, recommended or named",
    )
    checkpoint_steps: int = Field(
        500, gt=0, description="steps between checkpoints of a network's training; each epoch also ends with a checkpoint"
    )
    train_processes: int = Field(1, gt=0, description="processes that train a network in parallel, such as one per GPU")
    compile_network: bool = Field(False, description="whether to compile a network (torch.compile) before training")
    registered_model: str = Field("recommender", description="name of the model in the MLflow registry")
    encoder: str = Field("", description="sentence encoder: path or Hugging Face Hub id; empty: the packaged MiniLM")
    language_model: str = Field(
        "", description="language model of the ad copywriter: path or Hugging Face Hub id; empty: the prepared SmolLM2"
    )
    seed: int = Field(7, description="seed of all random number generators")


class GateSettings(SettingsGroup):
    """Limits of the promotion gate."""

    gate_max_model_mb: float = Field(2000, gt=0, description="models with more megabytes are not promoted")
    gate_max_ms_per_user: float = Field(
        50, gt=0, description="models that take more milliseconds to score one user, in a batch of 64, are not promoted"
    )


class ServingSettings(SettingsGroup):
    """Nightly recommendations."""

    recommend_on: Literal["here", "spark"] = Field(
        "here",
        description="where recommendations are computed: here (in the process itself) or spark (in tasks of spark_master)",
    )
    recommend_shard_users: int = Field(
        10_000, gt=0, description="users per shard of recommendations; a run that was killed repeats only unfinished shards"
    )
    recommend_relevance: float = Field(
        1.0,
        gt=0,
        le=1,
        description="weight of relevance against diversity in a list (maximal marginal relevance); 1: relevance only",
    )
    recommend_explored: int = Field(
        0, ge=0, description="exploration: number of last ranks of a list that are drawn at random, with recorded propensity"
    )
    copywriter_ads: int = Field(36, gt=0, description="ads that the copywriter writes a day, each for one user")
    recommend_candidates: int = Field(
        100,
        gt=0,
        description="number of a user's top items from which diverse lists (recommend_relevance) and explored ranks are chosen",
    )


def _names(value: str) -> list[str]:
    """Split a comma-separated setting.

    >>> _names("smtp, log,")
    ['smtp', 'log']
    """
    return [name.strip() for name in value.split(",") if name.strip()]
