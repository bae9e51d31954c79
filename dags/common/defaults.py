"""What holds for every task, and the templates that tell a task its date and its run.

Nothing here reads the clock, the environment or a random number: a workflow that serialises differently
each time it is parsed makes a new version of itself each time.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

from dags.common.alerts import task_failed

ROOT = Path(__file__).resolve().parents[2]
"""The folder that commands run in and modules are found from."""

OWNER = "data-engineering"

ARRIVED_ON = "{{ data_interval_start | ds }}"
"""The arrival day of a daily run: its data interval goes from one grace hour after midnight to the next."""

RUN = "{{ dag.dag_id }}.{{ run_id }}"
"""Names the run for build, audit and publish, which meet in the staged files of that name; the same for a
retry."""

SPARK_POOL = "spark"
GPU_POOL = "gpu"
GPU_QUEUE = "gpu"

DEFAULT_ARGS: dict[str, Any] = {
    "owner": OWNER,
    # For what may pass: a full disk, a server that restarts. What will not pass (a failed audit, a wrong
    # setting) is not tried again: the operators say so by the exception that they raise.
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": 3,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(hours=1),
    # Once a task, when it will not be tried again.
    "on_failure_callback": task_failed,
}
