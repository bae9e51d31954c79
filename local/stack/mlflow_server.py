"""The MLflow server of the local stack, behind a password: ``python -m local.stack.mlflow_server``.

MLflow's own server asks nobody for a secret, and it mounts routes that run commands as its user: an assistant, a gateway to
language models, jobs, webhooks. Its application ``basic-auth`` is not used, for three reasons: it leaves paths open (every
path that begins with ``/static`` or ``/health``, and ``server-info``), the routes above stay reachable for everybody who has
a password, and it needs a package (Flask-WTF) and a database of users of its own. This module wraps the whole ASGI
application instead, so no route can be forgotten, whether Flask or FastAPI serves it. A request reaches MLflow only if

1. its ``Host``, and its ``Origin`` if it has one, are this server's own (DNS rebinding, pages of other sites);
2. it gives the user name and password (HTTP Basic, RFC 7617), compared in constant time;
3. its path is one that MLflow's pages for experiments and models, or MLflow's client, need (``OFFERED``).

The password is made at the first start and kept in ``var/secrets/mlflow-password``; it is neither an argument nor a variable
of this process.
"""

import base64
import hmac
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from schemas.runtime.cli import explain_os_error, parser_of
from schemas.runtime.local_files import private_umask, sqlite_uri
from schemas.runtime.mlflow_rest import LOCAL_USER, local_password
from schemas.runtime.settings import Settings, get_settings

EXAMPLE = "python -m local.stack.mlflow_server"
HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
"""The host names under which people and programs reach this server."""

PAGES = ("/", "/health", "/version", "/graphql", "/get-artifact", "/model-versions/get-artifact")
"""Paths that are offered as they are."""
TRACKING = (
    "artifacts",
    "experiments",
    "get-trace-artifact",
    "logged-models",
    "metrics",
    "model-versions",
    "registered-models",
    "runs",
    "traces",
    "upload-artifact",
)
OFFERED = (
    "/static-files/",
    *(f"{api}/2.0/mlflow/{part}" for api in ("/api", "/ajax-api") for part in TRACKING),
    *(f"{api}/2.0/mlflow-artifacts/{part}" for api in ("/api", "/ajax-api") for part in ("artifacts", "mpu")),
    *(f"{api}/3.0/mlflow/{part}" for api in ("/api", "/ajax-api") for part in ("datasets", "server-info", "traces")),
)
"""Folders of paths that are offered: each path itself and all below it."""
NOT_OFFERED = ("/ajax-api/2.0/mlflow/runs/create-promptlab-run",)
"""Paths below a folder of `OFFERED` that call other services."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def offered(path: str) -> bool:
    """Whether a path, with its escapes decoded, is one that this server offers.

    >>> offered("/"), offered("/api/2.0/mlflow/runs/get"), offered("/static-files/main.js")
    (True, True, True)
    >>> offered("/ajax-api/3.0/mlflow/assistant/config"), offered("/gateway/a/mlflow/invocations")
    (False, False)
    >>> offered("/api/2.0/mlflow/runs/../webhooks"), offered("//api/2.0/mlflow/runs"), offered("/api/2.0/mlflow/runs-other")
    (False, False, False)
    """
    if path in PAGES:
        return True
    parts = path.split("/")[1:]
    if parts[-1] == "":
        parts = parts[:-1]
    if any(part in ("", ".", "..") for part in parts) or path.rstrip("/") in NOT_OFFERED:
        return False
    return any(path.startswith(f"{folder.rstrip('/')}/") or path == folder for folder in OFFERED)


class Guard:
    """An ASGI application that lets only known people and offered paths through to another one.

    Args:
        app: the other one.
        port: the port of this server.
        password: the password of ``LOCAL_USER``.
    """

    def __init__(self, app: App, port: int, password: str) -> None:
        self._app = app
        self._hosts = {f"{name}:{port}".encode() for name in NAMES}
        self._origins = {f"http://{name}:{port}".encode() for name in NAMES}
        self._login = base64.b64encode(f"{LOCAL_USER}:{password}".encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # MLflow's pages use none
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            return
        status, why = self._answer(scope)
        if status:
            await _refuse(send, status, why)
        else:
            await self._app(scope, receive, send)

    def _answer(self, scope: Scope) -> tuple[int, str]:
        """The status of a refusal and its reason; 0 for a request that may pass."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]

        def values(name: bytes) -> list[bytes]:
            return [value for key, value in headers if key.lower() == name]

        if len(hosts := values(b"host")) != 1 or hosts[0].lower() not in self._hosts:
            return 403, "this server has another name; use the address that `make status` prints"
        if any(origin.lower() not in self._origins for origin in values(b"origin")):
            return 403, "requests from pages of other sites are refused"
        if not self._knows(values(b"authorization")):
            return 401, "user name and password are required; `make status` says where they are"
        if not offered(scope["path"]):
            return 404, "this server does not offer this path"
        return 0, ""

    def _knows(self, given: list[bytes]) -> bool:
        if len(given) != 1:
            return False
        scheme, _, login = given[0].partition(b" ")
        return scheme.lower() == b"basic" and hmac.compare_digest(login.strip(), self._login)


async def _refuse(send: Send, status: int, why: str) -> None:
    codes = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "ENDPOINT_NOT_FOUND"}
    body = json.dumps({"error_code": codes[status], "message": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="MLflow of Clickwright", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def mlflow_home(settings: Settings) -> Path:
    """The folder of MLflow's database and artifacts."""
    return settings.var / "mlflow"


def store(settings: Settings) -> str:
    """The URI of MLflow's database."""
    return sqlite_uri(mlflow_home(settings) / "mlflow.db")


def environment(settings: Settings) -> dict[str, str]:
    """The variables by which MLflow's server learns its places, as its own command line would set them."""
    from mlflow.server import constants

    return {
        constants.BACKEND_STORE_URI_ENV_VAR: store(settings),
        constants.REGISTRY_STORE_URI_ENV_VAR: store(settings),
        constants.ARTIFACT_ROOT_ENV_VAR: "mlflow-artifacts:/",
        constants.ARTIFACTS_DESTINATION_ENV_VAR: str(mlflow_home(settings) / "artifacts"),
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
        # MLflow's own checks and switches, should a later version start to serve more.
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(f"{name}:{settings.mlflow_port}" for name in NAMES),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"http://{name}:{settings.mlflow_port}" for name in NAMES),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ENABLE_REMOTE_ASSISTANT": "false",
        "MLFLOW_ENABLE_WORKSPACES": "false",
        "_MLFLOW_SGI_NAME": "uvicorn",
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Serve MLflow until a signal ends this process."""
    parser_of("Serve MLflow behind a password, until a signal ends it; make up starts it.", EXAMPLE).parse_args(argv)
    import uvicorn

    private_umask()
    settings = get_settings()
    # The password must not reach code that models or plug-ins bring along.
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        os.environ.pop(name, None)
    os.environ.update(environment(settings))
    try:
        password = local_password(settings)
    except OSError as error:
        print(f"error: {explain_os_error(error)}", flush=True)
        return 1
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(store(settings), store(settings), "mlflow-artifacts:/")
    guard = Guard(app, settings.mlflow_port, password)
    uvicorn.run(
        guard, host=HOST, port=settings.mlflow_port, lifespan="off", proxy_headers=False, server_header=False, log_level="info"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
