"""The model registry: one registered model, with the aliases champion and challenger."""

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
from ml.tracking.runs import connect
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.mlflow_rest import CHAMPION, NOT_FOUND, TAG
from schemas.runtime.settings import Settings, get_settings

CHOSEN_BY = "chosen_by"
ARTIFACT = "recommender"
"""Name of the model's folder among the artifacts of the pyfunc."""


def by_alias(client: MlflowClient, settings: Settings, alias: str) -> ModelVersion | None:
    """The version that an alias names, or None.

    Args:
        client: of MLflow.
        settings: name the registered model.
        alias: such as ``champion``.
    """
    try:
        return client.get_model_version_by_alias(settings.registered_model, alias)
    except MlflowException as error:
        if error.error_code in NOT_FOUND:
            return None
        raise


def of_training(client: MlflowClient, settings: Settings, training: str) -> ModelVersion | None:
    """The version that a training chose last, or None; the gate judges it, and a promotion moves the alias to it.

    Args:
        client: of MLflow.
        settings: name the registered model.
        training: id of the training.
    """
    return newest_with(client, settings, CHOSEN_BY, training)


def choose_version(client: MlflowClient, settings: Settings, training: str, version: str) -> None:
    """Tag the version that a training chose, and remove the tag from its earlier choices.

    Args:
        client: of MLflow.
        settings: name the registered model.
        training: id of the training.
        version: number of the chosen version.
    """
    for other in client.search_model_versions(_with_tag(settings, CHOSEN_BY, training)):
        if str(other.version) != version:
            client.delete_model_version_tag(settings.registered_model, other.version, f"{TAG}{CHOSEN_BY}")
    client.set_model_version_tag(settings.registered_model, version, f"{TAG}{CHOSEN_BY}", training)


def newest_with(client: MlflowClient, settings: Settings, tag: str, value: str) -> ModelVersion | None:
    """The newest version with a tag of this project, or None.

    Args:
        client: of MLflow.
        settings: name the registered model.
        tag: without its prefix.
        value: of the tag.
    """
    versions = client.search_model_versions(_with_tag(settings, tag, value))
    newest = max(versions, key=lambda v: int(v.version), default=None)
    # Search results lack the aliases; a look-up has them.
    return None if newest is None else client.get_model_version(settings.registered_model, newest.version)


def _with_tag(settings: Settings, tag: str, value: str) -> str:
    return f"name = '{settings.registered_model}' and tag.`{TAG}{tag}` = '{value}'"


def numbered(client: MlflowClient, settings: Settings, version: str) -> ModelVersion:
    """A version by its number.

    Args:
        client: of MLflow.
        settings: name the registered model.
        version: its number.

    Raises:
        ClickwrightError: the version does not exist.
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
    """MLflow's URI of a registered version.

    Args:
        settings: name the registered model.
        version: the version.
    """
    return f"models:/{settings.registered_model}/{version.version}"


def load_version(settings: Settings, version: ModelVersion) -> tuple[Recommender, list[str]]:
    """A registered version's model, and its item ids in index order.

    Args:
        settings: name the registered model.
        version: the version.
    """
    return _load(settings.mlflow_tracking_uri, version_uri(settings, version))


@lru_cache(maxsize=2)
def _load(_tracking_uri: str, model_uri: str) -> tuple[Recommender, list[str]]:
    return load_recommender(download(model_uri))


def champion(client: MlflowClient, settings: Settings, alias: str = CHAMPION) -> ModelVersion:
    """The version that an alias names.

    Args:
        client: of MLflow.
        settings: name the registered model.
        alias: such as ``champion``.

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
    """The origin of a version, for commits of tables that it computes, so that the lake records it without MLflow.

    Args:
        settings: name the registered model.
        version: the version.
    """
    tags = tags_of(version)
    texts: dict[str, Any] = {
        key: tags[key] for key in ("training", "recipe", "train_until", "code_version", "run_id", "digest") if key in tags
    }
    tables = {key: json.loads(tags.get(key, "{}")) for key in ("snapshots", "reads")}
    return {"name": settings.registered_model, "version": str(version.version), **texts, **tables}


def tags_of(version: ModelVersion) -> dict[str, Any]:
    """This project's tags of a version, without their prefix.

    >>> from types import SimpleNamespace
    >>> tags_of(SimpleNamespace(tags={"clickwright.gate": "passed", "other": "x"}))
    {'gate': 'passed'}
    """
    return {k.removeprefix(TAG): v for k, v in version.tags.items() if k.startswith(TAG)}
