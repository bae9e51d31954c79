"""An approval whose deadline is a parameter of the run."""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Context


class DeadlineApproval(ApprovalOperator):
    """Wait for a person; no answer within the run's ``response_hours`` counts as a reject."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            defaults=self.REJECT,
            response_timeout=kwargs.pop("response_timeout", timedelta(hours=48)),
            **kwargs,
        )

    def execute(self, context: Context) -> Any:
        self.response_timeout = timedelta(hours=float(context["params"]["response_hours"]))
        return super().execute(context)
