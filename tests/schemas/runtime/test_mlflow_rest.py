"""Which password goes to which MLflow server."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from schemas.runtime.errors import ClickwrightError
from schemas.runtime.mlflow_rest import credentials, local_password, version_by_alias
from schemas.runtime.settings import get_settings

OF_ANOTHER = {"MLFLOW_TRACKING_USERNAME": "anna", "MLFLOW_TRACKING_PASSWORD": "of another server"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
    for name, value in OF_ANOTHER.items():
        monkeypatch.setenv(name, value)


def test_the_local_server_gets_the_password_of_its_file() -> None:
    assert credentials(get_settings()) == OF_ANOTHER  # nothing was started here yet
    made = local_password(get_settings())
    assert credentials(get_settings()) == {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": made}


@pytest.mark.parametrize(
    "uri", ["http://mlflow.example:5000", "https://127.0.0.1:5000", "http://127.0.0.1:5001", "http://127.0.0.1.example:5000"]
)
def test_another_server_never_gets_it(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("CLICKWRIGHT_MLFLOW_TRACKING_URI", uri)
    local_password(get_settings())
    assert credentials(get_settings()) == OF_ANOTHER


class Registry(BaseHTTPRequestHandler):
    """Answers with the login that it was given; refuses requests without one."""

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        self.send_response(200 if given else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"model_version": {"version": given}}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_look_up_sends_user_and_password_or_a_token(server: str) -> None:
    found = version_by_alias(server, "m", "champion", OF_ANOTHER)
    assert found == {"version": "Basic " + base64.b64encode(b"anna:of another server").decode()}
    assert version_by_alias(server, "m", "champion", {"MLFLOW_TRACKING_TOKEN": "t"}) == {"version": "Bearer t"}


def test_a_refused_login_says_what_to_do(server: str) -> None:
    with pytest.raises(ClickwrightError, match=r"refuses the user name or password; at http.*; set MLFLOW_TRACKING_USERNAME"):
        version_by_alias(server, "m", "champion")
