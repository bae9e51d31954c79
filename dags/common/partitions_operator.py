"""Runs one of the project's commands and tells an asset which of its partitions the command found."""

from typing import Any

from airflow.sdk import Asset, Context
from airflow.sdk.exceptions import AirflowSkipException

from dags.common.module_operator import ModuleOperator


class PartitionsOperator(ModuleOperator):
    """As `ModuleOperator`, and what the command's result lists becomes partitions of an asset, added at run
    time: whoever is scheduled by them gets a run a partition.

    Skipped when the list is empty, so that an asset event always names what changed. Skipped also while runs of
    this workflow are queued: each of them finds the same and more, so that the last of a backfill tells of it
    once.

    Args:
        asset: whose partitions they are.
        listed: the list's name in the result.
    """

    def __init__(self, *, asset: Asset, listed: str, **kwargs: Any) -> None:
        super().__init__(outlets=[asset], **kwargs)
        self.asset = asset
        self.listed = listed

    def execute(self, context: Context) -> dict[str, Any] | None:
        if queued := context["ti"].get_dr_count(dag_id=self.dag_id, states=["queued"]):
            raise AirflowSkipException(f"{queued} more runs of {self.dag_id} wait; the last of them tells")
        result = super().execute(context) or {}
        partitions = [str(value) for value in result[self.listed]]
        if not partitions:
            raise AirflowSkipException(f"{self.module} found nothing: no partition to tell of")
        self.log.info("%s: %s", self.asset.name, ", ".join(partitions))
        context["outlet_events"][self.asset].add_partitions(partitions)
        return result
