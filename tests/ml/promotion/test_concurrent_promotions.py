"""Two concurrent promotions, from processes that share only the lake and a real MLflow server: exactly one wins."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from schemas.lake.lake import open_lake
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import get_settings
from tests.faults.servers import free_ports, postgres, wait_until
from tests.ml.conftest import pinned

pytestmark = pytest.mark.slow
ROUNDS = 3
MODEL = "recommender"
CONTEXT = multiprocessing.get_context("spawn")


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Iterator[str]:
    """The address of an MLflow server for this module."""
    (port,), folder = free_ports(1), tmp_path_factory.mktemp("server")
    database = shutil.copy(empty_mlflow, folder / "mlflow.db")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(folder)]
    log, environment = (folder / "log").open("w"), {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True)
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{address}/health", trust_env=False).is_success
        except httpx.HTTPError:
            return False

    try:
        wait_until(answers, "MLflow")
        yield address
    finally:
        os.killpg(server.pid, 15)
        server.wait()
        log.close()


class Person(NamedTuple):
    """A process that promotes on order, with its own folder of state, as on its own machine."""

    var: Path
    orders: Connection

    def promote(self, at: float, **what: str) -> None:
        self.orders.send((at, settings() | {"CLICKWRIGHT_VAR": str(self.var)}, what))

    def said(self) -> Any:
        return self.orders.recv()


def settings() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key.startswith("CLICKWRIGHT_")}


def serve(orders: Connection) -> None:
    """Carry out orders at their moment, and send back the results."""
    from ml.promote import promote

    while order := orders.recv():
        moment, environment, what = order
        os.environ.update(environment)
        time.sleep(max(0.0, moment - time.time()))
        try:
            orders.send(promote(**what))
        except ClickwrightError as error:
            orders.send(error)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Person]]:
    """Two processes that promote."""
    people, processes = [], []
    for name in ("alice", "bob"):
        ours, theirs = CONTEXT.Pipe()
        processes.append(CONTEXT.Process(target=serve, args=(theirs,)))
        processes[-1].start()
        people.append(Person(tmp_path_factory.mktemp(name), ours))
    yield people
    for person, process in zip(people, processes, strict=True):
        person.orders.send(None)
        process.join()


@pytest.fixture
def client(mlflow_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The registry that both processes use, with a shared lake in SQLite."""
    from ml.tracking.runs import connect

    monkeypatch.setenv("CLICKWRIGHT_MLFLOW_TRACKING_URI", mlflow_server)
    monkeypatch.setenv("CLICKWRIGHT_CATALOG_URI", f"sqlite:///{tmp_path / 'catalog.db'}")
    open_lake()
    return connect()


def passed(client: Any, people: list[Person], training: str, champion: str) -> str:
    """A version that a training chose and that passed the gate, compared with a champion."""
    from ml.promotion.gate_records import GateRecord, write_record

    tags = {"chosen_by": training, "recipe": "markov"}
    run = client.create_run("0").info
    noted = {f"clickwright.{key}": value for key, value in tags.items()}
    made = client.create_model_version(MODEL, f"{run.artifact_uri}/model", run_id=run.run_id, tags=noted)
    for person in people:
        shared = get_settings().model_copy(update={"var": person.var})
        write_record(shared, GateRecord(version=str(made.version), digest="of no file", champion=champion))
        folder = person.var / "training" / training
        folder.mkdir(parents=True)
        (folder / "data.json").write_text(pinned(training).model_dump_json())
    return str(made.version)


def registry(client: Any) -> str:
    """The present champion, or none; creates the registered model if needed."""
    from mlflow.exceptions import MlflowException

    try:
        return str(client.get_model_version_by_alias(MODEL, "champion").version)
    except MlflowException:
        if not client.search_registered_models(f"name = '{MODEL}'"):
            client.create_registered_model(MODEL)
        return "none"


def both(people: list[Person], *orders: dict[str, str]) -> list[Any]:
    """The results of two orders that are carried out at the same moment."""
    moment = time.time() + 0.05
    for person, order in zip(people, orders, strict=True):
        person.promote(moment, **order)
    return [person.said() for person in people]


def one_of_two_wins(client: Any, people: list[Person], names: list[str]) -> None:
    before = registry(client)
    versions = [passed(client, people, name, before) for name in names]
    answers = both(people, *({"run": name} for name in names))
    (won,) = [answer for answer in answers if answer["moved"]]
    (lost,) = [answer for answer in answers if not answer["moved"]]
    assert registry(client) == won["version"]
    assert (won["previous"], lost["overtaken_by"]) == (before, won["version"])
    notes = {version: client.get_model_version(MODEL, version).tags.get("clickwright.promoted_over") for version in versions}
    assert notes == {won["version"]: before, lost["version"]: None}


def test_one_of_two_versions_becomes_the_champion(client: Any, people: list[Person]) -> None:
    for number in range(ROUNDS):
        one_of_two_wins(client, people, [f"{number}-a", f"{number}-b"])


def test_the_lock_works_with_a_catalog_in_postgresql(
    client: Any, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres() as server:
        monkeypatch.setenv("CLICKWRIGHT_CATALOG_URI", server.uri)
        open_lake()
        for number in range(ROUNDS):
            one_of_two_wins(client, people, [f"postgresql-{number}-a", f"postgresql-{number}-b"])


def test_the_same_version_is_promoted_once(client: Any, people: list[Person]) -> None:
    for number in range(ROUNDS):
        before, name = registry(client), f"same-{number}"
        version = passed(client, people, name, before)
        answers = both(people, {"run": name}, {"run": name})
        assert sorted((a["moved"], a["overtaken_by"]) for a in answers) == [(False, None), (True, None)]
        assert registry(client) == version
        assert client.get_model_version(MODEL, version).tags["clickwright.promoted_over"] == before


def test_a_rollback_and_a_promotion_do_not_cross(client: Any, people: list[Person]) -> None:
    """The second one moves nothing, unless it is a rollback that began after the promotion."""
    first = passed(client, people, "first", registry(client))
    for number in range(ROUNDS):
        name = f"back-{number}"
        version = passed(client, people, name, registry(client))
        up, down = both(people, {"run": name}, {"number": first})
        if isinstance(down, ClickwrightError):  # the promotion came in between
            assert f"version {version} has just become the champion" in str(down)
            assert up["moved"]
            assert registry(client) == version
        elif up["moved"]:  # it was over when the rollback began, or there was nothing to roll back before it
            assert registry(client) == (first if down["moved"] else version)
        else:
            assert (up["overtaken_by"], registry(client)) == (first, first)
