"""MLflow's names that every part of the project shares, and the look-up of an alias over REST, without importing MLflow."""

from typing import Any

import requests

from schemas.runtime.errors import ClickwrightError
from schemas.runtime.masking import shown, without_parts

TAG = "clickwright."
"""Prefix of this project's tags on runs and model versions."""
CHAMPION = "champion"
CHALLENGER = "challenger"
NOT_FOUND = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})
"""Error codes for a name that does not exist; MLflow answers with the second for a registered model without the alias."""
TIMEOUT_SECONDS = 20


def version_by_alias(url: str, model: str, alias: str) -> dict[str, Any] | None:
    """The model version with an alias, as MLflow's REST API describes it; None if the model or the alias does not exist.

    Args:
        url: of the MLflow server.
        model: name of the registered model.
        alias: such as ``champion``.

    Raises:
        ClickwrightError: MLflow does not answer, or answers with another error.
    """
    where = url.rstrip("/")
    try:
        answer = requests.get(
            f"{where}/api/2.0/mlflow/registered-models/alias", params={"name": model, "alias": alias}, timeout=TIMEOUT_SECONDS
        )
        content = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise ClickwrightError(
            f"MLflow does not answer ({type(error).__name__}); at {shown(where)}; start it with `make up`, "
            "or correct CLICKWRIGHT_MLFLOW_TRACKING_URI"
        ) from None
    if answer.ok:
        found: dict[str, Any] = content["model_version"]
        return found
    if content.get("error_code") in NOT_FOUND:
        return None
    said = f"{answer.status_code} {without_parts(content.get('message', ''), where)[:200]}"
    raise ClickwrightError(f"MLflow answers with an error ({said}); at {shown(where)}; look into its log")
