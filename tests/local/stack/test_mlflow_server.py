"""The guard before MLflow: host, origin, password and path, asked of MLflow's real application without starting a server."""

import asyncio
import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Mount

from local.stack.mlflow_server import Guard, environment, offered
from schemas.runtime.mlflow_rest import local_password, local_password_file
from schemas.runtime.settings import get_settings

pytestmark = [pytest.mark.slow, pytest.mark.security]
PORT = 5000
PASSWORD = "made at the first start"
OWN = f"http://127.0.0.1:{PORT}"
KNOWN = httpx.BasicAuth("admin", PASSWORD)


@pytest.fixture(scope="module")
def mlflow_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKWRIGHT_VAR", str(tmp_path_factory.mktemp("var")))
        for name, value in environment(get_settings()).items():
            patch.setenv(name, value)
        from mlflow.server.fastapi_app import app

        yield app


async def ask(app: Any, method: str, path: str, **how: Any) -> httpx.Response:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(Guard(app, PORT, PASSWORD)), base_url=how.pop("base", OWN))
    async with client:
        return await client.request(method, path, **how)


def answer(app: Any, method: str, path: str, **how: Any) -> httpx.Response:
    with ThreadPoolExecutor(1) as pool:  # the browser of other tests has an event loop in this thread
        return pool.submit(lambda: asyncio.run(ask(app, method, path, **how))).result()


def all_paths(app: Any) -> list[str]:
    """Every path that MLflow's application mounts, FastAPI's and Flask's."""
    from mlflow.server import app as flask

    native = [route.path for route in app.routes if not isinstance(route, Mount)]
    return sorted({*native, *(rule.rule for rule in flask.url_map.iter_rules())})


def test_no_path_answers_without_the_password(mlflow_app: Any) -> None:
    paths = all_paths(mlflow_app)
    assert len(paths) > 200
    for path in [*paths, "/nothing-here", "/static-files/../health"]:
        for method in ("GET", "POST", "OPTIONS"):
            refused = answer(mlflow_app, method, path)
            assert refused.status_code == 401, (method, path)
            assert refused.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic " + base64.b64encode(b"admin:").decode(),
        "Basic " + base64.b64encode(b"admin:wrong").decode(),
        "Basic " + base64.b64encode(f"other:{PASSWORD}".encode()).decode(),
        "Bearer " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode(),
    ],
)
def test_a_wrong_login_is_refused(mlflow_app: Any, header: str) -> None:
    assert answer(mlflow_app, "GET", "/version", headers={"Authorization": header}).status_code == 401


def test_routes_that_run_or_call_something_are_off(mlflow_app: Any) -> None:
    off = (
        "assistant",
        "gateway",
        "jobs",
        "mcp-servers",
        "webhooks",
        "scorer",
        "promptlab",
        "prompt-optimization",
        "/v1/traces",
    )
    dangerous = [path for path in all_paths(mlflow_app) if any(word in path for word in off)]
    assert len(dangerous) > 60
    for path in dangerous:
        for method in ("GET", "POST", "PUT", "DELETE"):
            assert answer(mlflow_app, method, path, auth=KNOWN).status_code == 404, (method, path)


def test_pages_and_client_get_their_answers(mlflow_app: Any) -> None:
    assert answer(mlflow_app, "GET", "/health", auth=KNOWN).text == "OK"
    assert "<html" in answer(mlflow_app, "GET", "/", auth=KNOWN).text
    found = answer(mlflow_app, "POST", "/api/2.0/mlflow/experiments/search", json={"max_results": 1}, auth=KNOWN)
    assert found.status_code == 200
    assert [entry["name"] for entry in found.json()["experiments"]] == ["Default"]


@pytest.mark.parametrize(
    "host", ["attacker.example", "attacker.example:5000", "127.0.0.1", "127.0.0.1:5001", "localhost.evil:5000"]
)
def test_another_host_name_is_refused(mlflow_app: Any, host: str) -> None:
    assert answer(mlflow_app, "GET", "/health", auth=KNOWN, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["http://attacker.example", "http://localhost:9999", "https://127.0.0.1:5000", "null"])
def test_a_page_of_another_site_is_refused(mlflow_app: Any, origin: str) -> None:
    """A browser sends the password that it knows with every request, also with one that another site's page makes."""
    body = {"json": {"name": "mine"}, "auth": KNOWN}
    path = "/api/2.0/mlflow/experiments/create"
    assert answer(mlflow_app, "POST", path, headers={"Origin": origin}, **body).status_code == 403


@pytest.mark.parametrize(
    "path", ["/api/2.0/mlflow/runs/%2e%2e/webhooks", "/api/2.0/mlflow/..%2Fwebhooks", "/api//2.0/mlflow/webhooks"]
)
def test_a_disguised_path_is_refused(mlflow_app: Any, path: str) -> None:
    assert answer(mlflow_app, "GET", path, auth=KNOWN).status_code == 404
    assert not offered(path.replace("%2e", ".").replace("%2F", "/"))


def test_the_password_is_made_once_and_only_its_owner_reads_it(var: Path) -> None:
    settings = get_settings()
    made = local_password(settings)
    assert len(made) == 64
    assert local_password(settings) == made
    file = local_password_file(settings)
    assert file == var / "secrets" / "mlflow-password"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
