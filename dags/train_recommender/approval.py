"""The question whether a challenger becomes the champion: who may answer, until when, and what follows."""

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
    """Wait for one of the approvers; no answer within the run's ``response_hours`` counts as a reject.

    Its result says the ``answer`` and ``by`` whom; nobody, where the time was up.

    Args:
        asked_by: the task whose result names the ``approvers``; where it names none, whoever may edit the workflow answers.
        approved, rejected: the tasks that follow.
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
        self.log.info("Asked: %s", ", ".join(approvers) or "whoever may edit this workflow")
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        if "error" not in event:
            person = event["responded_by_user"]
            said = {"answer": event["chosen_options"][0], "by": person["name"] if person else "nobody"}
            # Not returned: skipping what does not follow ends the task by an exception, and a result with it.
            context["ti"].xcom_push(key="return_value", value=said)
        return super().execute_complete(context, event)


class AskAgain(TriggerDagRunOperator):
    """Start the workflow once more for the models of this training, when the champion moved while the answer was awaited.

    Nothing is trained again: what is finished is kept. The challenger is compared with the new champion, and asked about again.

    Args:
        promotion: the task that tried to move the alias.
    """

    def __init__(self, *, promotion: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.promotion = promotion

    def execute(self, context: Context) -> Any:
        overtaken_by = context["ti"].xcom_pull(task_ids=self.promotion)["overtaken_by"]
        if overtaken_by is None:
            raise AirflowSkipException("The alias was moved; there is nothing to ask again.")
        self.log.info("The champion is version %s by now: asking again.", overtaken_by)
        return super().execute(context)
