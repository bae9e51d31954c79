"""Shards: assignment of users, and a killed run that resumes with its finished shards."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml import gate, pin, promote, recommend, register_challenger, train
from ml.inference.shards import RECOMMENDATIONS, TABLE, Inputs, Work, shard_of
from ml.inference.user_histories import EVENT_SCHEMA
from schemas.erasure import __main__ as erase
from schemas.lake.lake import Lake, open_lake
from schemas.lake.pseudonym_key import pseudonym_key
from schemas.privacy.pseudonyms import as_pseudonym
from schemas.publishing.staging import read_manifest
from schemas.runtime.settings import ROOT, get_settings
from tests.jobs.test_cluster import SECRET, running
from tests.ml.conftest import pseudonym, publish_profiles, publish_walk, walk_events

pytestmark = pytest.mark.slow

SERVED_ON = date(2024, 3, 1)


@given(st.lists(st.text(), unique=True), st.text(), st.integers(1, 50))
def test_the_shard_depends_on_the_user_alone(others: list[str], user: str, shards: int) -> None:
    alone = shard_of(pa.array([user], pa.string()), shards)[0]
    assert 0 <= alone < shards
    assert shard_of(pa.array([*others, user], pa.string()), shards)[-1] == alone


def test_events_are_with_their_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.inference.shards.BUFFERED_ROWS", 3)
    users = pa.table({"user_id": [f"u{n}" for n in range(8)], "segment": ["new"] * 8})
    moment = datetime(2024, 2, 1, tzinfo=UTC)
    rows = [
        {"user_id": f"u{n % 10}", "event_time": moment, "event_id": f"e{n:02d}", "event_type": "view", "item_id": "a"}
        for n in range(40)
    ]
    batches = pa.Table.from_pylist(rows, schema=EVENT_SCHEMA).to_batches(max_chunksize=2)
    inputs = Inputs(tmp_path, 3)
    inputs.write_users(users)
    inputs.write_events(batches)
    known = users["user_id"].to_pylist()
    assert sorted(user for shard in range(3) for user in inputs.users(shard)["user_id"].to_pylist()) == known
    assert sorted(e for shard in range(3) for e in inputs.events(shard)["event_id"].to_pylist()) == [
        r["event_id"] for r in rows
    ]
    for shard in range(3):
        there = set(inputs.events(shard)["user_id"].to_pylist())
        assert {user for user in there if user in known} == set(inputs.users(shard)["user_id"].to_pylist())


def test_shards_are_atomic_and_specific_to_their_inputs(var: Path) -> None:
    work = Work.of("run", {"model": "m"}, 2)
    work.folder.mkdir(parents=True)
    (work.folder / ".half.parquet").write_bytes(b"PAR1")
    assert work.waiting == [0, 1]
    work.finish(1, RECOMMENDATIONS.empty_table(), {"rows": 0})
    assert work.waiting == [0]
    assert Work.of("run", {"model": "m"}, 2) == work
    for other in (Work.of("run", {"model": "n"}, 2), Work.of("other", {"model": "m"}, 2), Work.of("run", {"model": "m"}, 3)):
        assert other.folder != work.folder


def test_an_erasure_reaches_shards_of_a_killed_run(var: Path) -> None:
    pseudonym_key(get_settings())  # makes it
    persons = {raw: as_pseudonym(raw, get_settings()) for raw in ("ann", "bob")}
    row = {"served_on": SERVED_ON, "rank": 1, "item_id": "a", "score": 1.0, "reason": "Popular.", "propensity": 1.0}
    row |= {"model_name": "m", "model_version": "1"}
    work = Work.of("run", {}, 2)
    inputs = Inputs(work.folder / "inputs", 2)
    inputs.folder.mkdir(parents=True)
    for shard, person in enumerate(persons.values()):
        work.finish(shard, pa.Table.from_pylist([{**row, "user_id": person}], schema=RECOMMENDATIONS), {"rows": 1})
    inputs.write_users(pa.table({"user_id": list(persons.values()), "segment": ["new", "new"]}))
    inputs.write_events([])
    erase.main(["--raw-id", "ann", "--date", "2024-03-02"])
    assert work.waiting == [0]
    left = {user for path in inputs.folder.glob("users-*") for user in pq.read_table(path)["user_id"].to_pylist()}
    assert persons["ann"] not in left


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> dict[str, str]:
    """The settings of a lake with profiles, and a champion; runs of their own names use it in turn."""
    folder = tmp_path_factory.mktemp("champion")
    database = shutil.copy(empty_mlflow, folder / "mlflow.db")
    settings = {"CLICKWRIGHT_VAR": str(folder / "var"), "CLICKWRIGHT_MLFLOW_TRACKING_URI": f"sqlite:///{database}"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        users = sorted({*walk_events()["user_id"], pseudonym(999)})
        publish_profiles(publish_walk(open_lake()), SERVED_ON - timedelta(days=1), users)
        pin.main(["--run", "t", "--train-until", str(SERVED_ON)])
        train.main(["--run", "t", "--recipes", "popularity,cooccurrence"])
        for step in (register_challenger, gate, promote):
            step.main(["--run", "t"])
    return settings


@pytest.fixture
def champion(state: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Lake:
    for name, value in state.items():
        monkeypatch.setenv(name, value)
    return open_lake()


def contents(run: str) -> list[str]:
    return sorted(file.sha256 for file in read_manifest("recommend", run).tables[TABLE].files)


KILLED = """
import os, signal, sys
from pathlib import Path
from ml import recommend

rename, done = Path.rename, []

def killed_at_the_fifth(path, target):
    if Path(target).name.startswith("shard-"):
        done.append(target)
        if len(done) == 5:
            os.kill(os.getpid(), signal.SIGKILL)
    return rename(path, target)

Path.rename = killed_at_the_fifth
recommend.main(sys.argv[1:])
"""


def test_a_killed_run_resumes_to_the_same_bytes(champion: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_RECOMMEND_SHARD_USERS", "10")  # so that there are many
    which = ["--served-on", str(SERVED_ON)]
    undisturbed = recommend.main([*which, "--run", "undisturbed"])
    shards = len(read_manifest("recommend", "undisturbed").tables[TABLE].files)
    assert shards > 10

    folder = get_settings().table_files / TABLE
    run = subprocess.run(
        [sys.executable, "-c", KILLED, *which, "--run", "killed"], cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    done = sorted(path.name for path in folder.glob("work-*/shard-*"))
    assert done == [f"shard-{n:05d}.parquet" for n in range(4)]

    made: list[int] = []
    finish = Work.finish
    monkeypatch.setattr(Work, "finish", lambda self, shard, *what: (made.append(shard), finish(self, shard, *what)))
    assert {**recommend.main([*which, "--run", "killed"]), "seconds": 0} == {**undisturbed, "seconds": 0}
    assert made == list(range(4, shards))
    assert contents("killed") == contents("undisturbed")
    assert list(folder.glob("work-*")) == []


@pytest.fixture(params=["one machine", pytest.param("cluster", marks=pytest.mark.cluster)])
def master(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where Spark's tasks run: in its own process, or with two workers of a standalone cluster."""
    if request.param == "one machine":
        yield "local[2]"
    else:
        with running(tmp_path) as cluster:
            yield cluster.master


def test_spark_makes_the_same_bytes(champion: Lake, master: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_RECOMMEND_SHARD_USERS", "40")
    which = ["--served-on", str(SERVED_ON)]
    here = recommend.main([*which, "--run", "here"])
    command = [sys.executable, "-m", "ml.recommend", *which, "--run", "spark"]
    on_spark = {"CLICKWRIGHT_RECOMMEND_ON": "spark", "CLICKWRIGHT_SPARK_MASTER": master, "CLICKWRIGHT_SPARK_SECRET": SECRET}
    env = {**os.environ, **on_spark, "CLICKWRIGHT_SPARK_DRIVER_MEMORY": "1g"}
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert f"event=recommended shards=4 master={master}" in run.stderr
    assert {**json.loads(run.stdout.splitlines()[-1]), "seconds": 0} == {**here, "seconds": 0}
    assert contents("spark") == contents("here")
