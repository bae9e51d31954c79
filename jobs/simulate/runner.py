"""All tasks of a world: in this process, in several of this machine, or on Spark, a Spark task each. The rows are the same."""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from jobs.simulate.task import Plan, add, run_task
from schemas.spark.distribute import distribute

if TYPE_CHECKING:  # a small world needs no Spark, and starts without it
    from pyspark.sql import SparkSession


def run_tasks(plan: Plan, processes: int) -> dict[str, Any]:
    """Run all tasks on this machine; gives the sum of what they counted."""
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
    """Run all tasks on Spark, whose workers have to see the same folders; gives the sum of what they counted."""
    tasks = plan.tasks()

    def run(number: int) -> str:
        return json.dumps(run_task(plan, *tasks[number]))

    total: dict[str, Any] = {}
    for figures in distribute(spark, range(len(tasks)), run):
        add(total, json.loads(figures))
    return total
