"""A password is not sent to a program of another user."""

import os
import pwd
import signal
import socket

import pytest

from schemas.runtime.errors import ClickwrightError
from schemas.runtime.local_ports import expect_own_listener, listeners
from schemas.runtime.mlflow_rest import credentials, local_password
from schemas.runtime.settings import get_settings
from tests.security.stranger import NOBODY, needs_root

pytestmark = pytest.mark.security


def test_own_and_free_ports_are_fine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listeners(port) == {os.getuid()}
        expect_own_listener(port, "CLICKWRIGHT_MLFLOW_PORT")
    assert listeners(port) == set()
    expect_own_listener(port, "CLICKWRIGHT_MLFLOW_PORT")


def test_a_port_that_another_user_took_gets_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_root()
    ours, theirs = os.pipe()
    if (child := os.fork()) == 0:
        os.setuid(pwd.getpwnam(NOBODY).pw_uid)
        server = socket.create_server(("127.0.0.1", 0))
        os.write(theirs, str(server.getsockname()[1]).encode())
        signal.pause()
    try:
        port = os.read(ours, 10).decode()
        monkeypatch.setenv("CLICKWRIGHT_MLFLOW_PORT", port)
        monkeypatch.setenv("CLICKWRIGHT_MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        local_password(get_settings())
        with pytest.raises(ClickwrightError, match=f"a program of another user .* at 127.0.0.1:{port}; no password was sent"):
            credentials(get_settings())
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
