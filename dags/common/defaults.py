"""Defaults of every task, and the templates for its date and its run.

This module must not read the clock, the environment or random numbers: a DAG that serialises differently at each parse
gets a new version at each parse.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

from dags.common.alerts import task_failed

ROOT = Path(__file__).resolve().parents[2]
"""The working directory of commands, and the root of the project's modules."""

OWNER = "data-engineering"

ARRIVED_ON = "{{ data_interval_start | ds }}"
"""The arrival day of a daily run; its data interval is from 01:00 UTC to the next 01:00."""

RUN = "{{ dag.dag_id }}.{{ run_id }}"
"""The run's name, the same for a retry; build, audit and publish find their staged files by it."""

SPARK_POOL = "spark"
GPU_POOL = "gpu"
GPU_QUEUE = "gpu"

DEFAULT_ARGS: dict[str, Any] = {
    "owner": OWNER,
    # Retries help with transient errors: a full disk, a server that restarts. For permanent ones (a failed audit, a
    # wrong setting) the operators raise an exception that prevents retries.
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": 3,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(hours=1),
    # Called once, when the task has no retries left.
    "on_failure_callback": task_failed,
}
