"""What may be killed in the middle of a backfill."""

import random
import time

import psutil

from tests.browser.stack import Stack

SCHEDULER = "airflow-scheduler"


def scheduler(world: Stack) -> psutil.Process:
    """The scheduler, when there is one: the keeper starts it again."""
    deadline = time.monotonic() + 90
    while (found := world.services.daemons.find(SCHEDULER)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def working(world: Stack, words: str) -> psutil.Process:
    """A process below the scheduler whose command line has these words in it."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found = [p for p in scheduler(world).children(recursive=True) if words in _command(p)]
        if found:
            return random.Random(7).choice(found)
        time.sleep(0.2)
    raise AssertionError(f"nothing with {words} in its command was at work")


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def kill_a_job(world: Stack) -> None:
    """The Java process of a Spark job, as when memory ran out."""
    working(world, "org.apache.spark.deploy.SparkSubmit").kill()


def kill_a_task(world: Stack) -> None:
    """The process in which Airflow runs a task, with the command of the task below it."""
    supervised = working(world, "schemas.publishing.audit").parent()
    assert supervised is not None
    supervised.kill()


def kill_a_worker(world: Stack) -> None:
    """One of the executor's workers, with a task under it."""
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
