"""Waits until the runs of other workflows have ended."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from airflow.sdk import BaseSensorOperator, Context

GRACE = timedelta(hours=1)
GOING = ["queued", "running"]


class RunsEnded(BaseSensorOperator):
    """Wait until no run of some workflows is running or queued; between looks no worker and no slot is held.

    After ``timeout`` it is skipped rather than failed: whoever follows decides, by its trigger rule, whether to go on.

    Args:
        of: the workflows.
        arrival_day: of that arrival day's run alone (templated date); of all runs when not given.
    """

    template_fields: Sequence[str] = ("arrival_day",)

    def __init__(self, *, of: Sequence[str], arrival_day: str | None = None, **kwargs: Any) -> None:
        defaults = {"mode": "reschedule", "poke_interval": timedelta(seconds=10), "soft_fail": True}
        super().__init__(**{**defaults, **kwargs})
        self.of = tuple(of)
        self.arrival_day = arrival_day

    def poke(self, context: Context) -> bool:
        days = None
        if self.arrival_day is not None:
            try:
                days = [datetime.combine(date.fromisoformat(self.arrival_day), time.min, UTC) + GRACE]
            except ValueError:
                return True  # no date: the task that comes next says so, in its own words
        going = {dag_id: context["ti"].get_dr_count(dag_id=dag_id, logical_dates=days, states=GOING) for dag_id in self.of}
        self.log.info("Running or queued: %s", ", ".join(f"{count} of {dag_id}" for dag_id, count in going.items()))
        return not any(going.values())
