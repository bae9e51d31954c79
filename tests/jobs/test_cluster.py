"""The jobs on a real standalone cluster: a master and two workers on this machine, each with one core."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest

from local.stack.configuration import write_private
from schemas.publishing.staging import read_manifest
from schemas.runtime.settings import ROOT, get_settings
from schemas.spark.home import prepared
from tests.jobs.simulated import FIRST_DAY, simulate
from tests.local.conftest import free_port

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(600)]
DAY = FIRST_DAY + timedelta(days=1)
SECRET = "shared by the master, the workers and the drivers"
PROTECTED = {
    "spark.authenticate": "true",
    "spark.authenticate.secret": SECRET,
    "spark.network.crypto.enabled": "true",
}


class Cluster:
    """A master and two workers."""

    def __init__(self, folder: Path) -> None:
        ready = prepared(get_settings())
        self.folder, self.port = folder, free_port()
        self.env = {
            **os.environ,
            "JAVA_HOME": str(ready.java.home),
            "SPARK_HOME": str(ready.spark_home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYTHONPATH": str(ROOT),
            "PYSPARK_PYTHON": sys.executable,
            "CLICKWRIGHT_SPARK_MASTER": self.master,
            "CLICKWRIGHT_SPARK_SECRET": SECRET,
        }
        private = folder / "conf" / "spark-defaults.conf"  # of the master and the workers; drivers get the setting
        write_private(private, "".join(f"{name} {value}\n" for name, value in PROTECTED.items()))
        self.spark_class = str(ready.spark_home / "bin" / "spark-class")
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def master(self) -> str:
        return f"spark://127.0.0.1:{self.port}"

    def start(self) -> None:
        deploy, web = "org.apache.spark.deploy", ["--webui-port", str(free_port())]
        self._run(f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(self.port), *web)
        self._until_log("I have been elected leader", 1)
        for name in ("one", "two"):
            work = ["--work-dir", str(self.folder / name), "--webui-port", str(free_port())]
            self._run(f"{deploy}.worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "2g", *work, self.master)
        self._until_log("Registering worker", 2)

    def _run(self, *command: str) -> None:
        with (self.folder / "cluster.log").open("ab") as log:
            env = {**self.env, "SPARK_CONF_DIR": str(self.folder / "conf")}
            self.processes.append(subprocess.Popen([self.spark_class, *command], env=env, stdout=log, stderr=log))

    def _until_log(self, words: str, times: int) -> None:
        deadline = time.monotonic() + 60
        while (self.folder / "cluster.log").read_text().count(words) < times:
            assert time.monotonic() < deadline, (self.folder / "cluster.log").read_text()[-2000:]
            time.sleep(0.2)

    def submit(self, module: str, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def stop(self) -> None:
        family = [child for process in self.processes for child in children(process.pid)]
        for process in [*self.processes, *family]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for process in self.processes:
            process.wait()


def children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """A cluster that runs for the duration of the block."""
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setenv("CLICKWRIGHT_SOURCES", "simulated")
    with running(tmp_path) as cluster:
        yield cluster


def rows(run: str) -> dict[str, pl.DataFrame]:
    """The rows that a run of clean staged."""
    tables = read_manifest("clean", run).tables
    events = pl.concat([pl.read_parquet(path) for path in tables["events"].paths]).sort("event_id")
    return {"events": events, "rejects": pl.concat([pl.read_parquet(p) for p in tables["rejects"].paths]).sort("line_number")}


def test_cluster_gives_the_same_rows_even_if_a_worker_is_killed(var: Path, cluster: Cluster) -> None:
    simulate(var, events=120_000, users=2000, days=2)
    arrival = ["--arrived-on", str(DAY)]
    here = subprocess.run([sys.executable, "-m", "jobs.clean", *arrival, "--run", "here"], cwd=ROOT, capture_output=True)
    assert here.returncode == 0, here.stderr[-2000:]
    expected = rows("here")
    assert len(expected["events"]) > 40_000

    job = cluster.submit("jobs.clean", *arrival, "--run", "cluster")
    victim = worker_that_computes(cluster.processes[1:])
    for process in [victim, *children(victim.pid)]:
        process.kill()
    victim.wait()
    assert job.poll() is None, "the job had ended before its worker was killed"
    said: Any = job.communicate(timeout=300)
    assert job.returncode == 0, said[1][-3000:]
    for table, frame in rows("cluster").items():
        assert frame.equals(expected[table])


def test_a_driver_without_the_secret_gets_no_worker(var: Path, cluster: Cluster) -> None:
    simulate(var, events=500, users=20, days=2)
    cluster.env["CLICKWRIGHT_SPARK_SECRET"] = "not the secret of this cluster, though long enough"
    job = cluster.submit("jobs.clean", "--arrived-on", str(DAY), "--run", "stranger")
    assert job.wait(timeout=200) == 1
    assert "Registered app clean" not in (cluster.folder / "cluster.log").read_text()
    del cluster.env["CLICKWRIGHT_SPARK_SECRET"]
    job = cluster.submit("jobs.clean", "--arrived-on", str(DAY), "--run", "nobody")
    assert job.wait(timeout=200) == 2
    assert job.stderr is not None
    assert "the Spark cluster needs a secret" in job.stderr.read()


def worker_that_computes(workers: "list[subprocess.Popen[bytes]]") -> "subprocess.Popen[bytes]":
    """The first worker whose executor runs Python; the master decides which worker gets a task first."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for worker in workers:
            pythons = 0
            for process in children(worker.pid):
                with suppress(psutil.Error):
                    pythons += "pyspark.daemon" in " ".join(process.cmdline())
            if pythons > 1:  # the daemon, and a process that it forked for a task
                return worker
        time.sleep(0.05)
    raise AssertionError("no worker began to compute within two minutes")
