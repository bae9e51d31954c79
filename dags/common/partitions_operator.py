"""Operator that adds the partitions that a command found to an asset."""

from typing import Any

from airflow.sdk import Asset, Context
from airflow.sdk.exceptions import AirflowSkipException

from dags.common.module_operator import ModuleOperator


class PartitionsOperator(ModuleOperator):
    """A `ModuleOperator` that adds the values in the command's result as partitions to an asset.

    Each partition starts one run of the workflows that the asset schedules. The task is skipped when the list is empty,
    so that every asset event names a partition. It is also skipped while runs of this workflow are queued: they will find
    the same partitions and perhaps more, so that the last run of a backfill reports all of them once.

    Args:
        asset: the asset that gets the partitions.
        listed: the key of the list in the command's result.
    """

    def __init__(self, *, asset: Asset, listed: str, **kwargs: Any) -> None:
        super().__init__(outlets=[asset], **kwargs)
        self.asset = asset
        self.listed = listed

    def execute(self, context: Context) -> dict[str, Any] | None:
        if queued := context["ti"].get_dr_count(dag_id=self.dag_id, states=["queued"]):
            raise AirflowSkipException(f"{queued} runs of {self.dag_id} are queued; the last of them reports the partitions")
        result = super().execute(context) or {}
        partitions = [str(value) for value in result[self.listed]]
        if not partitions:
            raise AirflowSkipException(f"{self.module} found no partition")
        self.log.info("%s: %s", self.asset.name, ", ".join(partitions))
        context["outlet_events"][self.asset].add_partitions(partitions)
        return result
