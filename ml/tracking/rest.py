"""The registry's alias through MLflow's REST interface, without importing MLflow."""

import requests

from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import Settings

ALIAS = "champion"

SECONDS = 20


def champion_version(settings: Settings) -> str | None:
    """The version that the alias names, or None where there is no such model or alias.

    Raises:
        ClickwrightError: MLflow does not answer, or answers with something else.
    """
    where = settings.mlflow_tracking_uri.rstrip("/")
    if not where.startswith("http"):  # a database in place of a server has no REST
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
    # MLflow says INVALID_PARAMETER_VALUE when the model is there without the alias.
    if content.get("error_code") in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
        return None
    raise ClickwrightError(
        f"MLflow refuses ({answer.status_code} {content.get('message', '')[:200]}); at {where}; see to its log"
    )
