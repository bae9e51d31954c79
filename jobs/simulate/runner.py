"""Run all tasks of a world: in this process, in several processes, or on Spark. The rows are the same."""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from jobs.simulate.task import Plan, add, run_task
from schemas.spark.distribute import distribute

if TYPE_CHECKING:  # a small world starts faster without importing Spark
    from pyspark.sql import SparkSession


def run_tasks(plan: Plan, processes: int) -> dict[str, Any]:
    """Run all tasks on this machine.

    Args:
        plan: the plan.
        processes: how many processes.

    Returns:
        The sums of the tasks' counts.
    """
    tasks, total = plan.tasks(), dict[str, Any]()
    if processes == 1:
        for day, block in tasks:
            add(total, run_task(plan, day, block))
        return total
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(tasks)), mp_context=context) as pool:
        for figures in pool.map(partial(run_task, plan), *zip(*tasks, strict=True)):
            add(total, figures)
    return total


def run_tasks_on_spark(spark: "SparkSession", plan: Plan) -> dict[str, Any]:
    """Run all tasks on Spark.

    Args:
        spark: the session; its workers must see the folders of the plan.
        plan: the plan.

    Returns:
        The sums of the tasks' counts.
    """
    tasks = plan.tasks()

    def run(number: int) -> str:
        return json.dumps(run_task(plan, *tasks[number]))

    total: dict[str, Any] = {}
    for figures in distribute(spark, range(len(tasks)), run):
        add(total, json.loads(figures))
    return total
