"""The approval that makes a challenger the champion: the approvers, the deadline, and the tasks that follow."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

APPROVE = "Approve"
REJECT = "Reject"


class DeadlineApproval(HITLBranchOperator):
    """Wait for one of the approvers; no answer within the run's ``response_hours`` counts as a rejection.

    The task's result holds the ``answer`` and the name of the person (``by``), or "nobody" after a timeout.

    Args:
        asked_by: the task whose result lists the ``approvers``; if it lists none, every user who may edit the workflow
            may answer.
        approved: the task that follows an approval.
        rejected: the task that follows a rejection.
    """

    def __init__(self, *, asked_by: str, approved: str, rejected: str, **kwargs: Any) -> None:
        super().__init__(
            options=[APPROVE, REJECT],
            options_mapping={APPROVE: approved, REJECT: rejected},
            defaults=REJECT,
            response_timeout=kwargs.pop("response_timeout", timedelta(hours=48)),
            **kwargs,
        )
        self.asked_by = asked_by

    def execute(self, context: Context) -> Any:
        self.response_timeout = timedelta(hours=float(context["params"]["response_hours"]))
        asked: Mapping[str, Any] = context["ti"].xcom_pull(task_ids=self.asked_by)
        approvers: Sequence[str] = asked.get("approvers", ())
        self.assigned_users = [{"id": name, "name": name} for name in approvers]
        self.log.info("Asked: %s", ", ".join(approvers) or "all users who may edit this workflow")
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        if "error" not in event:
            person = event["responded_by_user"]
            said = {"answer": event["chosen_options"][0], "by": person["name"] if person else "nobody"}
            # Not returned: skipping the other branch raises an exception, which would discard a returned result.
            context["ti"].xcom_push(key="return_value", value=said)
        return super().execute_complete(context, event)


class AskAgain(TriggerDagRunOperator):
    """Start the workflow again for the same models, when the champion changed while the approval was open.

    Finished models are not trained again. The challenger is compared with the new champion, and a person is asked again.

    Args:
        promotion: the task that tried to move the alias.
    """

    def __init__(self, *, promotion: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.promotion = promotion

    def execute(self, context: Context) -> Any:
        overtaken_by = context["ti"].xcom_pull(task_ids=self.promotion)["overtaken_by"]
        if overtaken_by is None:
            raise AirflowSkipException("The alias was moved; no second approval is needed.")
        self.log.info("The champion is now version %s: asking again.", overtaken_by)
        return super().execute(context)
