"""The champion's version from MLflow's REST API, without importing MLflow."""

import requests

from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import Settings

ALIAS = "champion"

SECONDS = 20
"""Timeout of a request."""


def champion_version(settings: Settings) -> str | None:
    """The champion's version, or None if the model or the alias does not exist.

    Raises:
        ClickwrightError: MLflow does not answer, or answers with another error.
    """
    where = settings.mlflow_tracking_uri.rstrip("/")
    if not where.startswith("http"):  # a database instead of a server has no REST API
        from ml.tracking.registry import by_alias
        from ml.tracking.runs import connect

        version = by_alias(connect(settings), settings, ALIAS)
        return None if version is None else str(version.version)
    try:
        answer = requests.get(
            f"{where}/api/2.0/mlflow/registered-models/alias",
            params={"name": settings.registered_model, "alias": ALIAS},
            timeout=SECONDS,
        )
        content = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise ClickwrightError(
            f"MLflow does not answer ({type(error).__name__}); at {where}; start it with `make up`, "
            "or correct CLICKWRIGHT_MLFLOW_TRACKING_URI"
        ) from None
    if answer.ok:
        return str(content["model_version"]["version"])
    # MLflow answers INVALID_PARAMETER_VALUE if the model exists without the alias.
    if content.get("error_code") in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
        return None
    raise ClickwrightError(
        f"MLflow answers with an error ({answer.status_code} {content.get('message', '')[:200]}); at {where}; look into its log"
    )
