"""MLflow's names and password that every part of the project shares, and the look-up of an alias, without importing MLflow.

Every call to the MLflow server of the local stack needs a user name and a password. It is made at the first start and kept in
``var/secrets/mlflow-password``. For another server the user sets MLflow's own variables, ``MLFLOW_TRACKING_USERNAME`` and
``MLFLOW_TRACKING_PASSWORD``.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from schemas.runtime.errors import ClickwrightError
from schemas.runtime.local_files import private_file
from schemas.runtime.local_ports import expect_own_listener
from schemas.runtime.masking import shown, without_parts
from schemas.runtime.settings import Settings

TAG = "clickwright."
"""Prefix of this project's tags on runs and model versions."""
CHAMPION = "champion"
CHALLENGER = "challenger"
NOT_FOUND = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})
"""Error codes for a name that does not exist; MLflow answers with the second for a registered model without the alias."""
TIMEOUT_SECONDS = 20
LOCAL_USER = "admin"
USERNAME, PASSWORD, TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
"""The variables from which MLflow's client reads what it sends."""

WRONG_LOGIN = (
    "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or for the server of `make up` correct CLICKWRIGHT_VAR "
    "and CLICKWRIGHT_MLFLOW_PORT"
)


def local_password_file(settings: Settings) -> Path:
    """The file of the password of the local stack's MLflow, readable only by its owner."""
    return settings.secrets / "mlflow-password"


def local_password(settings: Settings) -> str:
    """The password of the local stack's MLflow; the first call makes it."""
    return private_file(local_password_file(settings)).strip()


def local_credentials(settings: Settings) -> dict[str, str]:
    """The variables with which MLflow's client proves itself to the local stack's server."""
    return {USERNAME: LOCAL_USER, PASSWORD: local_password(settings)}


def is_local(settings: Settings) -> bool:
    """Whether the tracking server of the settings is the one that `make up` starts."""
    where = urlsplit(settings.mlflow_tracking_uri)
    own = ("127.0.0.1", "localhost")
    return where.scheme == "http" and where.hostname in own and where.port == settings.mlflow_port and not where.username


def credentials(settings: Settings) -> dict[str, str]:
    """The variables with which MLflow's client proves itself to the tracking server of the settings.

    They are those of the environment, except for the local stack's server: its password is in its file. Another server never
    gets that password.

    Raises:
        ClickwrightError: another user's program listens on the port of the local stack's server.
    """
    if is_local(settings) and local_password_file(settings).exists():
        expect_own_listener(settings.mlflow_port, "CLICKWRIGHT_MLFLOW_PORT")
        return local_credentials(settings)
    return {name: os.environ[name] for name in (USERNAME, PASSWORD, TOKEN) if os.environ.get(name)}


class _Token(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _auth(given: dict[str, str]) -> requests.auth.AuthBase | None:
    """How `requests` sends credentials; as in MLflow's client, a user name and a password count before a token."""
    if USERNAME in given and PASSWORD in given:
        return requests.auth.HTTPBasicAuth(given[USERNAME], given[PASSWORD])
    return _Token(given[TOKEN]) if TOKEN in given else None


def version_by_alias(url: str, model: str, alias: str, given: dict[str, str] | None = None) -> dict[str, Any] | None:
    """The model version with an alias, as MLflow's REST API describes it; None if the model or the alias does not exist.

    Args:
        url: of the MLflow server.
        model: name of the registered model.
        alias: such as ``champion``.
        given: the server's :func:`credentials`; none for a server that needs none.

    Raises:
        ClickwrightError: MLflow does not answer, or answers with another error.
    """
    where = url.rstrip("/")
    try:
        answer = requests.get(
            f"{where}/api/2.0/mlflow/registered-models/alias",
            params={"name": model, "alias": alias},
            auth=_auth(given or {}),
            timeout=TIMEOUT_SECONDS,
        )
        if answer.status_code in (401, 403):
            raise ClickwrightError(f"MLflow refuses the user name or password; at {where}; {WRONG_LOGIN}")
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
