"""Airflow's public REST API (v2) for one user: login, retries, pages of a listing, errors."""

import time
from typing import Any
from urllib.parse import quote

import httpx

RETRIED_STATUS = frozenset({502, 503, 504})


class AirflowError(Exception):
    """Airflow did not answer, or answered with an error."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class AirflowRest:
    """A user of one Airflow.

    Args:
        base_url: such as ``http://127.0.0.1:8080``.
        user: the name of the user, for an auth manager that serves ``/auth/token``.
        password: the password of the user.
        patience_s: seconds for which a failed connection is retried.
    """

    def __init__(self, base_url: str, user: str, password: str, *, patience_s: float = 60.0) -> None:
        self.base_url = base_url.rstrip("/")
        self._login = {"username": user, "password": password}
        self._patience_s = patience_s
        # trust_env=False: this machine is reached without the environment's proxy.
        self._http = httpx.Client(base_url=self.base_url, timeout=60, trust_env=False)

    def _all(self, path: str, key: str, params: dict[str, str] | None = None) -> list[dict[str, Any]]:
        """Every entry of a listing, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            window = {"limit": "100", "offset": str(len(found))}
            page = self._call("GET", path, params={**window, **(params or {})})
            found += page[key]
            if not page[key] or len(found) >= page["total_entries"]:
                return found

    def _unless(self, status: int, method: str, path: str, **kwargs: Any) -> dict[str, Any] | None:
        """Like `_call`, but return None if Airflow answers with ``status``."""
        try:
            return self._call(method, path, **kwargs)
        except AirflowError as error:
            if error.status == status:
                return None
            raise

    def _call(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        answer = self._send(method, f"/api/v2{path}", **kwargs)
        if answer.status_code == 401:
            self._http.headers.pop("Authorization", None)
            answer = self._send(method, f"/api/v2{path}", **kwargs)
        check(answer)
        return answer.json() if answer.content else {}

    def _send(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """Send a request as the user; retry failed connections for ``patience_s`` seconds."""
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                if "Authorization" not in self._http.headers:
                    login = self._http.post("/auth/token", json=self._login)
                    if login.status_code not in RETRIED_STATUS:
                        check(login)
                        self._http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
                answer = self._http.request(method, path, **kwargs)
                if answer.status_code not in RETRIED_STATUS:
                    return answer
                why = f"status {answer.status_code}"
            except httpx.TransportError as error:
                # A POST that may have arrived is not repeated, because it is not idempotent.
                if method == "POST" and not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                    raise AirflowError(f"no answer from {self.base_url}{path}: {error}") from None
                why = str(error)
            if time.monotonic() > deadline:
                raise AirflowError(f"no answer from Airflow at {self.base_url}: {why}; is it up? (`make up`)")
            time.sleep(1)


def path_part(part: str) -> str:
    """Quote a name as one part of a path: run ids contain plus signs and colons.

    >>> path_part("manual__1998-04-16T01:00:00+00:00")
    'manual__1998-04-16T01%3A00%3A00%2B00%3A00'
    """
    return quote(part, safe="~")


def check(answer: httpx.Response) -> None:
    if not answer.is_success:
        try:
            detail = answer.json().get("detail")
        except (ValueError, AttributeError):
            detail = answer.text[:300]
        path = answer.request.url.path
        raise AirflowError(f"Airflow answered {answer.status_code} to {path}: {detail}", answer.status_code)
