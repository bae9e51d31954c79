"""The stack as users start it, attacked by another user of the machine: nothing answers, and nothing can be read.

``make test-security``
"""

import encodings.idna  # noqa: F401 - a stranger may import nothing
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from local.demo.raw_id_scan import scan
from local.stack.__main__ import Services
from local.stack.airflow_client import DAY_DAG, AirflowClient
from local.stack.configuration import password
from schemas.lake.lake import open_lake, row_counts
from schemas.runtime.mlflow_rest import local_password
from schemas.runtime.settings import ROOT, Settings
from tests.jobs.conftest import line
from tests.jobs.test_items_and_profiles import ALIEN
from tests.local.conftest import free_port
from tests.local.test_refused_day import deliver
from tests.security.block_thief import steal
from tests.security.stranger import as_nobody

pytestmark = [pytest.mark.slow, pytest.mark.security, pytest.mark.airflow, pytest.mark.timeout(900)]
DAY = date(1998, 4, 16)
PERSON = "planted-person@private.example"
PUBLIC = {"/api/v2/monitor/health", "/api/v2/version", "/api/v2/auth/login", "/api/v2/auth/logout"}
"""Airflow answers these without a login: whether it is healthy, its version, and the ways to the login page."""
KEY = "planted-key-0123456789abcdef-0123456789abcdef"


class Stack:
    """The stack of a user whose umask lets others read, in a folder that others may enter."""

    def __init__(self, root: Path) -> None:
        ports = {"airflow_port": free_port(), "mlflow_port": free_port()}
        self.settings = Settings(var=root / "var", **ports, spark_class_archive=False)
        self.services = Services(self.settings)
        mine = {**self.settings.environment(), "CLICKWRIGHT_PSEUDONYM_KEY": KEY}
        self.env = {**{k: v for k, v in os.environ.items() if not k.startswith("CLICKWRIGHT_")}, **mine}

    def make(self, command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "local.stack", command],
            cwd=ROOT,
            env=self.env,
            umask=0o022,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def airflow(self) -> AirflowClient:
        return self.services.airflow()

    def processes(self) -> list[psutil.Process]:
        heads = [head for daemon in self.services.programs() if (head := self.services.daemons.find(daemon.name))]
        return [process for head in heads for process in [head, *head.children(recursive=True)]]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    root = Path(tempfile.mkdtemp(prefix="clickwright-security-"))  # not pytest's folder, which others cannot enter
    root.chmod(0o755)
    made = Stack(root)
    try:
        made.make("up")
        yield made
    finally:
        made.make("down")
        shutil.rmtree(root)


@pytest.fixture(scope="module")
def day(stack: Stack) -> None:
    """A day with a person's address in every field that may hold one, through Airflow's scheduler."""
    landing, airflow = stack.settings.landing_dir, stack.airflow
    deliver(landing, "movielens-items", [json.dumps(ALIEN)])
    sound = [line(event_id=f"e{i}", item=f"{i}", user=PERSON) for i in range(30)]
    deliver(landing, "movielens", [*sound, line(event_id="bad", user=PERSON, rating=77), f'{{"user": "{PERSON}'])
    airflow.wait_for_dags([DAY_DAG])
    airflow.unpause(DAY_DAG)
    run = airflow.trigger(DAY_DAG, arrived_on=DAY)
    (ended,) = airflow.wait(DAY_DAG, [run.run_id], timeout_s=800)
    assert ended.state == "success", airflow.failures(DAY_DAG, run.run_id)
    assert row_counts(open_lake(stack.settings))["events"] == 30


def statuses(port: int, paths: list[str], methods: tuple[str, ...] = ("GET",), headers: dict[str, str] | None = None) -> Any:
    """The status of each answer, as whoever runs this gets it."""
    found = {}
    for path in paths:
        for method in methods:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request(method, path, body=None if method == "GET" else "{}", headers=headers or {})
            found[f"{method} {path}"] = connection.getresponse().status
            connection.close()
    return found


MLFLOW_PATHS = [
    "/",
    "/health",
    "/version",
    "/static-files/index.html",
    "/graphql",
    "/get-artifact?path=a&run_uuid=b",
    "/api/2.0/mlflow/experiments/search",
    "/api/2.0/mlflow/registered-models/alias",
    "/api/2.0/mlflow/model-versions/set-tag",
    "/api/2.0/mlflow-artifacts/artifacts/a",
    "/ajax-api/2.0/mlflow/upload-artifact",
    "/api/3.0/mlflow/server-info",
    "/ajax-api/3.0/mlflow/assistant/config",
    "/ajax-api/3.0/mlflow/assistant/message",
    "/ajax-api/3.0/mlflow/assistant/skills/install",
    "/ajax-api/3.0/jobs/search",
    "/gateway/mlflow/v1/models",
    "/api/2.0/mlflow/webhooks",
    "/api/3.0/mlflow/mcp-servers",
    "/v1/traces",
]


def test_a_stranger_gets_no_answer_from_mlflow(stack: Stack) -> None:
    found = as_nobody(partial(statuses, stack.settings.mlflow_port, MLFLOW_PATHS, ("GET", "POST", "PUT", "DELETE")))
    assert set(found.values()) == {401}


def test_assistant_gateway_and_jobs_are_off_for_everybody(stack: Stack) -> None:
    login = b64encode(f"admin:{local_password(stack.settings)}".encode()).decode()
    off = [path for path in MLFLOW_PATHS if any(w in path for w in ("assistant", "jobs", "gateway", "hooks", "mcp", "v1/"))]
    found = statuses(stack.settings.mlflow_port, off, ("GET", "POST", "PUT", "DELETE"), {"Authorization": f"Basic {login}"})
    assert set(found.values()) == {404}


def test_a_stranger_gets_no_answer_from_airflow(stack: Stack) -> None:
    token = httpx.post(
        f"{stack.services.airflow_url}/auth/token",
        json={"username": "admin", "password": password(stack.settings)},
        trust_env=False,
    ).json()["access_token"]
    known = httpx.get(
        f"{stack.services.airflow_url}/openapi.json", headers={"Authorization": f"Bearer {token}"}, trust_env=False
    ).json()["paths"]
    asked = sorted({path.replace("{", "x").replace("}", "x") for path, ways in known.items() if "get" in ways} - PUBLIC)
    assert len(asked) > 60
    found = as_nobody(partial(statuses, stack.settings.airflow_port, [*asked, "/execution/variables/x"]))
    assert {path: status for path, status in found.items() if status not in (401, 403)} == {}


def test_every_port_is_a_known_one_on_this_machine(stack: Stack) -> None:
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for process in stack.processes()
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {("127.0.0.1", stack.settings.airflow_port), ("127.0.0.1", stack.settings.mlflow_port)}


def test_no_process_shows_a_secret_in_its_arguments(stack: Stack) -> None:
    secrets = {
        KEY,
        password(stack.settings),
        *(file.read_text().strip() for file in stack.settings.secrets.iterdir() if file.suffix != ".json"),
    }
    assert len(secrets) > 4
    shown = [process.name() for process in stack.processes() for word in process.cmdline() if any(s in word for s in secrets)]
    assert shown == []


def can_read(root: str) -> list[str]:
    found = []
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = os.path.join(folder, name)  # noqa: PTH118
            with suppress(OSError):
                os.listdir(path) if name in folders else open(path, "rb").close()  # noqa: PTH123, PTH208
                found.append(path)
    return found


def test_a_stranger_reads_no_file(stack: Stack, day: None) -> None:
    assert as_nobody(partial(can_read, str(stack.settings.var.parent))) == []


def test_every_file_is_private_in_itself(stack: Stack, day: None) -> None:
    """Not only because the folder above is closed: backups and copies keep the modes of files."""
    ours = [path for path in stack.settings.var.rglob("*") if not path.is_symlink()]
    assert len(ours) > 100
    delivered = stack.settings.landing_dir
    open_to_others = [
        str(path.relative_to(stack.settings.var))
        for path in ours
        if delivered not in (path, *path.parents) and path.exists() and path.stat().st_mode & 0o077
    ]
    assert open_to_others == []


def test_nothing_planted_is_found_outside_of_the_landing_zone(stack: Stack, day: None) -> None:
    """Pages, logs, tables, databases and artifacts, and Airflow's logs among them."""
    found = scan(stack.settings.var, [PERSON.encode(), KEY.encode()])
    assert found.files > 100
    assert found.found == []
    own = [password(stack.settings).encode(), local_password(stack.settings).encode()]
    assert scan(stack.settings.var, own, skip=("landing", "secrets")).found == []


JOB = """
import sys
from schemas.spark.session import spark_session
spark = spark_session("victim")
planted = spark.sparkContext.broadcast(b"9f3c51e07ab24d68")
managers = spark.sparkContext._jsc.sc().getExecutorMemoryStatus().keys().mkString()
print(managers.rpartition(":")[2], planted._jbroadcast.id(), flush=True)
sys.stdin.read()
"""


def test_a_stranger_gets_no_block_of_a_job_of_this_stack(stack: Stack) -> None:
    env = {**stack.services.env(), "CLICKWRIGHT_PSEUDONYM_KEY": KEY}
    with subprocess.Popen([sys.executable, "-c", JOB], cwd=ROOT, env=env, stdin=-1, stdout=-1, text=True) as job:
        assert job.stdin is not None
        assert job.stdout is not None
        port, number = map(int, job.stdout.readline().split())
        found = as_nobody(lambda: steal(port, f"broadcast_{number}_piece0").hex())
        tree = [psutil.Process(job.pid), *psutil.Process(job.pid).children(recursive=True)]
        addresses = {c.laddr.ip for p in tree for c in p.net_connections() if c.status == psutil.CONN_LISTEN}
        job.stdin.close()
    assert b"9f3c51e07ab24d68" not in bytes.fromhex(found)
    assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1"}
