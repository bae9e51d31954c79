"""Reads from MLflow: the champion's version, and the metrics of all models of its training."""

from contextlib import suppress
from typing import Any

import httpx

from schemas.runtime.errors import ClickwrightError
from schemas.runtime.mlflow_rest import CHAMPION, NOT_FOUND, PASSWORD, TAG, USERNAME, version_by_alias

API = "/api/2.0/mlflow"
TRAINING_TAG = f"{TAG}training"


class Tracking:
    """A reader of one MLflow server.

    Args:
        url: such as ``http://127.0.0.1:5000``.
        model: the model's name in the registry.
        given: the server's credentials (:func:`schemas.runtime.mlflow_rest.credentials`).
    """

    def __init__(self, url: str, model: str, given: dict[str, str]) -> None:
        self.url = url.rstrip("/")
        self.model = model
        self._given = given
        login = (given[USERNAME], given[PASSWORD]) if given else None
        self._http = httpx.Client(base_url=self.url + API, timeout=60, trust_env=False, auth=login)

    def champion(self) -> dict[str, Any] | None:
        """The version with the alias ``champion`` (``version``, ``run_id``, ``tags``), or None."""
        version = version_by_alias(self.url, self.model, CHAMPION, self._given)
        if version is None:
            return None
        return {
            "model": self.model,
            "version": str(version["version"]),
            "run_id": version.get("run_id", ""),
            "tags": _pairs(version.get("tags")),
        }

    def siblings(self, run_id: str) -> list[dict[str, Any]]:
        """The runs of the training that ``run_id`` belongs to, itself included: name, parameters, metrics, tags."""
        own = self._run(run_id)
        training = own["tags"].get(TRAINING_TAG)
        if training is None:
            return [own]
        body = {
            "experiment_ids": [own["experiment_id"]],
            "filter": f"tags.`{TRAINING_TAG}` = '{training}' and attributes.status = 'FINISHED'",
            "max_results": 200,
        }
        found = self._call("POST", "/runs/search", json=body) or {}
        return [_flat(run) for run in found.get("runs", [])]

    def run_url(self, run: dict[str, Any]) -> str:
        """The address of the run's page."""
        return f"{self.url}/#/experiments/{run['experiment_id']}/runs/{run['run_id']}"

    def _run(self, run_id: str) -> dict[str, Any]:
        found = self._call("GET", "/runs/get", params={"run_id": run_id})
        if found is None:
            raise ClickwrightError(f"the champion's run {run_id} does not exist; in MLflow at {self.url}; train again")
        return _flat(found["run"])

    def _call(self, method: str, path: str, **kwargs: Any) -> dict[str, Any] | None:
        try:
            answer = self._http.request(method, path, **kwargs)
        except httpx.HTTPError as error:
            raise ClickwrightError(f"no answer from MLflow ({error}); at {self.url}; is it up? `make up`") from None
        if answer.is_error:
            with suppress(ValueError):
                if answer.json().get("error_code") in NOT_FOUND:
                    return None
            raise ClickwrightError(
                f"MLflow answered {answer.status_code}: {answer.text[:300]}; at {self.url}{path}; see its log"
            )
        found: dict[str, Any] = answer.json()
        return found


def _pairs(entries: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {entry["key"]: entry["value"] for entry in entries or []}


def _flat(run: dict[str, Any]) -> dict[str, Any]:
    info, data = run["info"], run["data"]
    return {
        "run_id": info["run_id"],
        "experiment_id": info["experiment_id"],
        "name": info.get("run_name", ""),
        "seconds": round((int(info.get("end_time") or 0) - int(info.get("start_time") or 0)) / 1000, 1),
        "params": _pairs(data.get("params")),
        "metrics": _pairs(data.get("metrics")),
        "tags": _pairs(data.get("tags")),
    }
