"""The fork server runs commands as a shell would, ends them with their callers, and lends one Spark to several."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dags.common.command_result import end_group
from local.stack.__main__ import Services
from schemas.runtime.fork_client import (
    SOCKET,
    ForkedCommand,
    NotForkedError,
    bind_private,
    differing,
    fork_command,
    socket_name,
)
from schemas.runtime.settings import Settings
from tests.polling import until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
PROBE = "tests.dags.probe"


class Server:
    """A fork server with a state folder of its own, and a folder of code that it watches."""

    def __init__(self, folder: Path) -> None:
        self.code, self.run_dir, self.log = folder / "code", folder / "var" / "run", folder / "log"
        self.code.mkdir(parents=True)
        self.environment = {**os.environ, "CLICKWRIGHT_VAR": str(folder / "var"), "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, "-m", "local.stack.fork_server", "--code", str(self.code)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        until((self.run_dir / SOCKET).exists, 60)

    def fork(self, module: str, *arguments: str, spark: str | None = None, **more: str) -> ForkedCommand:
        return fork_command(self.run_dir, module, arguments, {**self.environment, **more}, ROOT, spark)

    def run(self, module: str, *arguments: str, spark: str | None = None, **more: str) -> tuple[int, list[str]]:
        command = self.fork(module, *arguments, spark=spark, **more)
        lines = command.stdout.read().splitlines()
        return command.wait(30), lines


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("forks"))
    yield server
    server.process.terminate()
    server.process.wait(10)


def test_a_command_has_its_own_result_and_environment(server: Server) -> None:
    code, lines = server.run(PROBE, "succeed")
    assert (code, json.loads(lines[-1])) == (0, {"what": "succeed", "rows": 3})
    _, lines = server.run("schemas.runtime.settings", CLICKWRIGHT_AIRFLOW_PORT="8099")
    assert json.loads(lines[-1])["CLICKWRIGHT_AIRFLOW_PORT"]["value"] == "8099"


@pytest.mark.parametrize(("what", "code"), [("fail", 1), ("misconfigured", 2), ("refuse", 3), ("nothing", 99), ("dance", 2)])
def test_exit_codes_are_those_of_the_command(server: Server, what: str, code: int) -> None:
    found, lines = server.run(PROBE, what)
    assert found == code
    assert "error: " in lines[-1]


def test_a_module_that_does_not_exist_is_a_failure(server: Server) -> None:
    code, lines = server.run("jobs.nowhere")
    assert code == 1
    assert "No module named jobs.nowhere" in lines[-1]


def test_a_command_that_cannot_begin_is_a_failure(server: Server, tmp_path: Path) -> None:
    command = fork_command(server.run_dir, PROBE, ["succeed"], server.environment, tmp_path / "nowhere")
    assert command.wait(20) == 1


def test_bad_requests_do_not_end_the_server(server: Server) -> None:
    for message in (b"", b"\x00", b"\xff" * 8, (2).to_bytes(8, "big") + b"[]"):
        with socket.socket(socket.AF_UNIX) as connection, socket_name(server.run_dir, SOCKET) as name:
            connection.connect(name)
            connection.sendall(message)
    assert server.run(PROBE, "succeed")[0] == 0


def test_a_second_server_does_not_take_the_socket(server: Server) -> None:
    with pytest.raises(FileExistsError, match="a program listens already"):
        bind_private(server.run_dir, SOCKET)


def test_ending_a_command_ends_its_children(server: Server, tmp_path: Path) -> None:
    command = server.fork(PROBE, "sleep", "--file", str(tmp_path / "child"))
    child = psutil.Process(int(until(lambda: content(tmp_path / "child"))))
    end_group(command)
    assert command.wait(20) == -signal.SIGTERM
    until(lambda: not running(child))


def test_a_command_ends_when_its_caller_is_killed(server: Server, tmp_path: Path) -> None:
    arguments = ["sleep", "--file", str(tmp_path / "child")]
    script = (
        "import os, pathlib, time; from schemas.runtime.fork_client import fork_command; "
        f"command = fork_command(pathlib.Path({str(server.run_dir)!r}), {PROBE!r}, {arguments!r}, "
        f"os.environ, pathlib.Path({str(ROOT)!r})); time.sleep(60)"
    )
    caller = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=server.environment)
    child = psutil.Process(int(until(lambda: content(tmp_path / "child"))))
    caller.kill()
    caller.wait()
    until(lambda: not running(child), 20)


def test_another_environment_or_master_is_refused(server: Server) -> None:
    with pytest.raises(NotForkedError, match="the environment differs: OMP_NUM_THREADS"):
        server.run(PROBE, "succeed", OMP_NUM_THREADS="7")
    with pytest.raises(NotForkedError, match="the server's Spark master is local"):
        server.run(PROBE, "succeed", spark="spark://elsewhere:7077")
    with pytest.raises(NotForkedError, match="another value of CLICKWRIGHT_SPARK_DRIVER_MEMORY"):
        server.run(PROBE, "succeed", spark="local[2]", CLICKWRIGHT_SPARK_DRIVER_MEMORY="3g")
    assert differing({"A": "1", "AIRFLOW_CTX_TRY": "1"}, {"A": "2"}) == ["A"]


def test_no_server_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotForkedError, match="no fork server answers"):
        fork_command(tmp_path, PROBE, [], os.environ, ROOT)


def test_only_the_owner_may_connect(server: Server) -> None:
    assert (server.run_dir / SOCKET).stat().st_mode & 0o077 == 0


def test_commands_share_one_spark_until_it_ends(server: Server, tmp_path: Path) -> None:
    first = shared_java(server, tmp_path / "first")
    assert shared_java(server, tmp_path / "second") == first
    psutil.Process(first).kill()
    until(lambda: not (server.run_dir / "spark.sock").exists() or not psutil.pid_exists(first))
    assert until(lambda: java_or_none(server, tmp_path / "third"), 60) != first


def test_spark_jobs_of_a_killed_command_are_cancelled(server: Server, tmp_path: Path) -> None:
    command = server.fork("tests.local.stack.spark_probe", "sleep", str(tmp_path / "began"), spark="local[2]")
    worker = psutil.Process(int(until(lambda: content(tmp_path / "began"), 60)))
    end_group(command)
    until(lambda: not running(worker), 20)  # Spark ends the Python worker of a cancelled task
    assert shared_java(server, tmp_path / "after") > 0


def test_changed_code_is_loaded_anew_beside_the_same_spark(server: Server, tmp_path: Path) -> None:
    java, pid = shared_java(server, tmp_path / "before"), server.process.pid
    (server.code / "new.py").write_text("")
    (server.code / "#lock.py").symlink_to("nowhere")
    with pytest.raises(NotForkedError, match="the code has changed"):
        server.run(PROBE, "succeed")
    until(lambda: forks(server), 60)
    assert server.process.poll() is None
    assert psutil.Process(pid).is_running()
    assert shared_java(server, tmp_path / "after") == java


def test_services_that_the_keeper_restarts_have_the_same_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the fork server would refuse the commands of a restarted scheduler."""
    services = Services(Settings(var=tmp_path))
    first = services.env()
    for name, value in first.items():
        monkeypatch.setenv(name, value)
    assert differing(services.env(), first) == []
    assert services.env()["PYTHONPATH"] == first["PYTHONPATH"]


def shared_java(server: Server, file: Path) -> int:
    """The id of the Java process in which a command's Spark job ran; the job sums numbers, as a check."""
    code, lines = server.run("tests.local.stack.spark_probe", "sum", str(file), spark="local[2]")
    assert code == 0, lines
    assert json.loads(lines[-1])["sum"] == 6
    return int(json.loads(lines[-1])["java"])


def java_or_none(server: Server, file: Path) -> int | None:
    try:
        return shared_java(server, file)
    except NotForkedError:  # the server has not noticed the end yet
        return None


def forks(server: Server) -> bool:
    try:
        return server.run(PROBE, "succeed")[0] == 0
    except NotForkedError:
        time.sleep(0.2)
        return False


def content(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def running(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
