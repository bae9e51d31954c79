"""Sensor that waits until the runs of other workflows have ended."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseSensorOperator, Context

GOING = ["queued", "running"]


class RunsEnded(BaseSensorOperator):
    """Wait until no run of the given workflows is running or queued; between checks it holds no worker and no slot.

    After ``timeout`` it is skipped, not failed: the trigger rule of the next task decides whether the run goes on.

    Args:
        of: the ids of the workflows.
    """

    def __init__(self, *, of: Sequence[str], **kwargs: Any) -> None:
        defaults = {"mode": "reschedule", "poke_interval": timedelta(seconds=10), "soft_fail": True}
        super().__init__(**{**defaults, **kwargs})
        self.of = tuple(of)

    def poke(self, context: Context) -> bool:
        going = {dag_id: context["ti"].get_dr_count(dag_id=dag_id, states=GOING) for dag_id in self.of}
        self.log.info("Running or queued: %s", ", ".join(f"{count} of {dag_id}" for dag_id, count in going.items()))
        return not any(going.values())
