"""Kills processes in the middle of a backfill."""

import random
import time

import psutil

from tests.browser.stack import Stack

SCHEDULER = "airflow-scheduler"


def scheduler(world: Stack) -> psutil.Process:
    """The scheduler; waits until the keeper has restarted it."""
    deadline = time.monotonic() + 90
    while (found := world.services.daemons.find(SCHEDULER)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def working(world: Stack, words: str) -> psutil.Process:
    """A descendant of the scheduler whose command line contains these words."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found = [p for p in scheduler(world).children(recursive=True) if words in _command(p)]
        if found:
            return random.Random(7).choice(found)
        time.sleep(0.2)
    raise AssertionError(f"no process with {words} in its command was running")


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def kill_a_job(world: Stack) -> None:
    """Kill the Java process of a Spark job, as when memory runs out."""
    working(world, "org.apache.spark.deploy.SparkSubmit").kill()


def kill_a_task(world: Stack) -> None:
    """Kill the process in which Airflow runs a task; the task's command is its child."""
    supervised = working(world, "schemas.publishing.audit").parent()
    assert supervised is not None
    supervised.kill()


def kill_a_worker(world: Stack) -> None:
    """Kill a worker of the executor while it runs a task."""
    task = working(world, "org.apache.spark.deploy.SparkSubmit")
    worker = next(p for p in task.parents() if "LocalExecutor" in _command(p))
    worker.kill()


def kill_the_scheduler(world: Stack) -> None:
    killed = scheduler(world)
    killed.kill()
    deadline = time.monotonic() + 90
    while world.services.daemons.find(SCHEDULER) in (None, killed):
        assert time.monotonic() < deadline
        time.sleep(0.2)


KILLS = (kill_a_job, kill_a_task, kill_the_scheduler, kill_a_worker)
