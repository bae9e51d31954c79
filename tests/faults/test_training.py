"""Trainings through their command: killed in the middle, distributed over processes, and short of memory."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from ml import pin
from ml.tracking.run_checkpoints import FOLDER
from ml.tracking.runs import connect, training_runs
from schemas.lake.lake import Lake
from schemas.runtime.settings import get_settings

pytestmark = [pytest.mark.faults, pytest.mark.slow]
STEPS_AN_EPOCH = 6  # 86 users, 16 windows a batch
TRAIN = [sys.executable, "-m", "ml.train", "--recipes", "transformer", "--run"]
BLEND = [sys.executable, "-m", "ml.train", "--recipes", "hybrid", "--run"]


def pinned(run: str) -> str:
    pin.main(["--run", run, "--train-until", "2024-03-01"])
    return run


def runs_of(training: str) -> tuple[MlflowClient, list[Run]]:
    client = connect(get_settings())
    return client, training_runs(client, get_settings(), training)


def checkpoints(training: str) -> list[Path]:
    """The complete checkpoints of a training in MLflow."""
    root = get_settings().var / "mlflow" / "artifacts"
    return sorted(root.glob(f"*/artifacts/{FOLDER}/*/checkpoint-*.json"))


def trained(run: str, command: Sequence[str] = TRAIN, **environment: str) -> str:
    """Train, and return the command's standard error."""
    done = subprocess.run([*command, run], env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count('"training"') == 1  # only rank 0 prints
    return done.stderr


def test_training_killed_in_mid_epoch_ends_with_the_same_weights(walk_lake: Lake) -> None:
    undisturbed = pinned("undisturbed")
    trained(undisturbed)
    killed = pinned("killed")
    often = {"CLICKWRIGHT_CHECKPOINT_STEPS": "3"}
    process = subprocess.Popen([*TRAIN, killed], env={**os.environ, **often})
    give_up = time.monotonic() + 120
    while not (kept := [path for path in checkpoints(killed) if int(path.stem.rpartition("-")[2]) % STEPS_AN_EPOCH]):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < give_up
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    _, (begun,) = runs_of(killed)
    assert begun.info.status == "RUNNING"

    assert "resumes from a checkpoint" in trained(killed, **often), kept
    client, (finished,) = runs_of(killed)
    assert (finished.info.run_id, finished.info.status) == (begun.info.run_id, "FINISHED")
    _, (other,) = runs_of(undisturbed)
    assert finished.data.tags["clickwright.digest"] == other.data.tags["clickwright.digest"]
    for figure in ("validation_ndcg_at_10", "test_ndcg_at_10"):
        assert finished.data.metrics[figure] == other.data.metrics[figure]
    losses = [[m.step for m in client.get_metric_history(run.info.run_id, "epoch/loss")] for run in (finished, other)]
    assert losses[0] == losses[1]  # the loss history includes the epochs before the kill
    assert checkpoints(killed) == []


def test_two_processes_match_one(walk_lake: Lake) -> None:
    trained(pinned("one"))
    trained(pinned("two"), CLICKWRIGHT_TRAIN_PROCESSES="2")
    (one,), (two,) = runs_of("one")[1], runs_of("two")[1]
    assert one.data.params["recipe.epochs"] == two.data.params["recipe.epochs"]
    for figure in ("validation_ndcg_at_10", "epoch/loss"):
        np.testing.assert_allclose(two.data.metrics[figure], one.data.metrics[figure], rtol=0.1)


def test_two_processes_of_a_hybrid_share_only_the_network(walk_lake: Lake) -> None:
    told = trained(pinned("blend"), BLEND, CLICKWRIGHT_TRAIN_PROCESSES="2")
    assert told.count("event=trained") == 1
    (run,) = runs_of("blend")[1]
    assert run.data.metrics["validation_ndcg_at_10"] > 0.5
    assert "'member': 'als'" in run.data.params["recipe.blend"]


CHILD = Path(__file__).with_name("train_in_little_memory.py")


def test_network_learns_from_data_larger_than_memory(var: Path) -> None:
    told = subprocess.run([sys.executable, CHILD], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-2000:]
    held, allowed, alike = (float(word) for word in told.stdout.split())
    assert held > 1.5 * allowed
    assert alike > 0.9
