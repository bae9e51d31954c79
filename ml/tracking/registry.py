"""MLflow as this project uses it: one experiment, one run a recipe, one registered model, aliases champion and challenger."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import mlflow
import mlflow.artifacts
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ml.models import Recommender, load_recommender
from ml.tracking.runs import TAG, connect
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import Settings, get_settings

CHAMPION = "champion"
CHALLENGER = "challenger"
CHOSEN_BY = "chosen_by"
ARTIFACT = "recommender"
"""Name of the model's folder among the artifacts of the pyfunc."""


def by_alias(client: MlflowClient, settings: Settings, alias: str) -> ModelVersion | None:
    """The version that an alias names, or None."""
    try:
        return client.get_model_version_by_alias(settings.registered_model, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def of_training(client: MlflowClient, settings: Settings, training: str) -> ModelVersion | None:
    """The version that a training chose last, or None: what a gate judges, a person is asked about and a promotion moves."""
    return newest_with(client, settings, CHOSEN_BY, training)


def choose_version(client: MlflowClient, settings: Settings, training: str, version: str) -> None:
    """Note which version a training chose; what it chose before is no longer its choice."""
    for other in client.search_model_versions(_with_tag(settings, CHOSEN_BY, training)):
        if str(other.version) != version:
            client.delete_model_version_tag(settings.registered_model, other.version, f"{TAG}{CHOSEN_BY}")
    client.set_model_version_tag(settings.registered_model, version, f"{TAG}{CHOSEN_BY}", training)


def newest_with(client: MlflowClient, settings: Settings, tag: str, value: str) -> ModelVersion | None:
    """The newest version with a tag of ours, or None."""
    versions = client.search_model_versions(_with_tag(settings, tag, value))
    newest = max(versions, key=lambda v: int(v.version), default=None)
    # A search leaves the aliases out; a look-up has everything.
    return None if newest is None else client.get_model_version(settings.registered_model, newest.version)


def _with_tag(settings: Settings, tag: str, value: str) -> str:
    return f"name = '{settings.registered_model}' and tag.`{TAG}{tag}` = '{value}'"


def numbered(client: MlflowClient, settings: Settings, version: str) -> ModelVersion:
    """A version by its number.

    Raises:
        ClickwrightError: there is none.
    """
    try:
        return client.get_model_version(settings.registered_model, version)
    except MlflowException:
        raise ClickwrightError(
            f"there is no version {version} of {settings.registered_model}; in the model registry; "
            "look up its versions in the MLflow UI"
        ) from None


def download(model_uri: str) -> Path:
    """The folder of a logged or registered model's recommender, on this machine."""
    return Path(mlflow.artifacts.download_artifacts(f"{model_uri.rstrip('/')}/artifacts/{ARTIFACT}"))


def version_uri(settings: Settings, version: ModelVersion) -> str:
    """How MLflow names a registered version."""
    return f"models:/{settings.registered_model}/{version.version}"


def load_version(settings: Settings, version: ModelVersion) -> tuple[Recommender, list[str]]:
    """A registered version's model and its item ids."""
    return _load(settings.mlflow_tracking_uri, version_uri(settings, version))


@lru_cache(maxsize=2)
def _load(_tracking_uri: str, model_uri: str) -> tuple[Recommender, list[str]]:
    return load_recommender(download(model_uri))


def champion(client: MlflowClient, settings: Settings, alias: str = CHAMPION) -> ModelVersion:
    """The version that an alias names.

    Raises:
        ClickwrightError: no version has this alias.
    """
    version = by_alias(client, settings, alias)
    if version is None:
        raise ClickwrightError(
            f"no version of {settings.registered_model} is @{alias}; in the model registry; "
            "train and promote one (`train_recommender`), or set the alias in the MLflow UI"
        )
    return version


def load_champion(alias: str = CHAMPION) -> tuple[Recommender, str, list[str]]:
    """The model that an alias names: (model, version, item ids in index order).

    Raises:
        ClickwrightError: no version has this alias, or MLflow does not answer.
    """
    settings = get_settings()
    version = champion(connect(settings), settings, alias)
    model, item_ids = load_version(settings, version)
    return model, str(version.version), item_ids


def provenance(settings: Settings, version: ModelVersion) -> dict[str, Any]:
    """What a version was made from, for the commit of whatever it computes: the lake then knows it without MLflow."""
    tags = tags_of(version)
    texts: dict[str, Any] = {
        key: tags[key] for key in ("training", "recipe", "train_until", "code_version", "run_id", "digest") if key in tags
    }
    tables = {key: json.loads(tags.get(key, "{}")) for key in ("snapshots", "reads")}
    return {"name": settings.registered_model, "version": str(version.version), **texts, **tables}


def tags_of(version: ModelVersion) -> dict[str, Any]:
    """Our tags of a version, without their prefix."""
    return {k.removeprefix(TAG): v for k, v in version.tags.items() if k.startswith(TAG)}
