"""MLflow runs of trainings: the experiment, the finished runs, their tags."""

import os

import mlflow.artifacts
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from schemas.runtime.errors import ClickwrightError
from schemas.runtime.masking import shown, without_parts
from schemas.runtime.mlflow_rest import TAG, TOKEN, WRONG_LOGIN, credentials, is_local
from schemas.runtime.settings import Settings, get_settings


def connect(settings: Settings | None = None) -> MlflowClient:
    """A client of the tracking server of the settings, which also becomes MLflow's default server.

    Raises:
        ClickwrightError: the server does not answer.
    """
    settings = settings or get_settings()
    # If the server is down, report it soon instead of retrying for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    # Standard output is reserved for a command's result.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    uri = settings.mlflow_tracking_uri
    if is_local(settings):
        os.environ.pop(TOKEN, None)
    os.environ.update(credentials(settings))
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    client = MlflowClient()
    try:
        client.search_experiments(max_results=1)
    except MlflowException as error:
        if error.error_code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
            raise ClickwrightError(
                f"MLflow refuses the user name or password; at {settings.mlflow_tracking_uri}; {WRONG_LOGIN}"
            ) from None
        raise ClickwrightError(
            f"MLflow does not answer ({without_parts(str(error).splitlines()[0], uri)[:120]}); at {shown(uri)}; "
            "start it with `make up` or correct CLICKWRIGHT_MLFLOW_TRACKING_URI"
        ) from None
    return client


def experiment_id(client: MlflowClient, settings: Settings) -> str:
    """The id of the experiment of all trainings; creates the experiment if it does not exist.

    Args:
        client: of MLflow.
        settings: the experiment has the name of the registered model.
    """
    name = settings.registered_model
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    # A server has a place for artifacts; a database has none, and artifacts would go to the working directory.
    bare = not settings.mlflow_tracking_uri.startswith("http")
    location = (settings.var / "mlflow" / "artifacts").as_uri() if bare else None
    try:
        return str(client.create_experiment(name, artifact_location=location))
    except MlflowException:  # another process created it first
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return str(found.experiment_id)


def finished_runs(client: MlflowClient, settings: Settings, training: str) -> dict[str, Run]:
    """The newest finished run of each recipe in a training.

    Args:
        client: of MLflow.
        settings: name the experiment.
        training: id of the training.
    """
    runs: dict[str, Run] = {}
    for run in training_runs(client, settings, training):
        if run.info.status == "FINISHED":
            runs.setdefault(run.data.tags[f"{TAG}recipe"], run)
    return runs


def training_runs(client: MlflowClient, settings: Settings, training: str) -> list[Run]:
    """All runs of a training, newest first.

    Args:
        client: of MLflow.
        settings: name the experiment.
        training: id of the training.
    """
    return list(
        client.search_runs(
            [experiment_id(client, settings)],
            filter_string=f"tags.`{TAG}training` = '{training}'",
            order_by=["attributes.start_time DESC"],
        )
    )
