"""What people are told when a task has failed or a day is late, and by which ways.

``CLICKWRIGHT_ALARMS`` names the ways; servers and their secrets are Airflow connections:

- ``log``: an error in the log of the task, and a line of JSON in ``<var>/logs/alarms.jsonl``.
- ``smtp``: a mail to ``CLICKWRIGHT_ALARM_RECIPIENTS``, through the connection ``smtp_default``::

      AIRFLOW_CONN_SMTP_DEFAULT='{"conn_type": "smtp", "host": "mail.example.org", "port": 587, "login": "...",
        "password": "...", "extra": {"from_email": "alarms@example.org", "disable_ssl": true}}'

  (``disable_ssl`` is for servers that begin in plain text and then change to TLS, as they do on port 587.)
- ``slack``: a message through the incoming webhook of the connection ``slackwebhook_default``::

      AIRFLOW_CONN_SLACKWEBHOOK_DEFAULT='{"conn_type": "slackwebhook", "password": "T000/B000/..."}'

- ``webhook``: the alarm as JSON, posted to the connection ``alarm_webhook``; what stands in ``extra`` becomes headers::

      AIRFLOW_CONN_ALARM_WEBHOOK='{"conn_type": "http", "host": "https://hooks.example.org/alarms",
        "extra": {"Authorization": "Bearer ..."}}'

The environment (of the scheduler, whose children the tasks are, and of the DAG processor) or a secrets backend is the place
for them: Airflow 3.3.2 refuses the connections of its own database to the callback of a deadline.

A way that fails is an error in the log; it hinders neither the others nor the task.
"""

import html
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowTaskTimeout

if TYPE_CHECKING:
    from schemas.runtime.settings import Settings

TIMEOUT_S = 15
"""For each way. A dead worker's alarm is sent by the DAG processor, which ends whatever takes longer than 50 s."""

LONGEST_REASON = 1000
TOLD = "alarm"
"""What a task leaves behind (XCom) that has told of its failure."""

SMTP, SLACK, WEBHOOK = "smtp_default", "slackwebhook_default", "alarm_webhook"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alarm:
    """What has happened, to what, why, and where to look."""

    kind: str
    """``failed`` (a task) or ``late`` (a run)."""
    workflow: str
    run: str
    task: str
    """Empty when the alarm is about a whole run."""
    tables: tuple[str, ...]
    """What has not been written; empty for a task that writes no table."""
    partition: str
    reason: str
    link: str

    @property
    def subject(self) -> str:
        """All of it in a few words."""
        what = f"failed at {self.task}" if self.task else f"is {self.kind}"
        return f"{self.workflow} {what}: {self.partition}"

    @property
    def text(self) -> str:
        """One fact a line."""
        facts = {
            "tables": ", ".join(self.tables) or "none",
            "partition": self.partition,
            "reason": self.reason,
            "run": self.run,
            "link": self.link,
        }
        return "\n".join([self.subject, *(f"{name}: {fact}" for name, fact in facts.items())])

    def as_dict(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {"subject": self.subject, **asdict(self)}


def task_failed(context: Context) -> None:
    """Tell people of a task that will not be tried again: the ``on_failure_callback`` of every task."""
    ti = context["ti"]
    tell(_failure(context, context["task"], context.get("exception"), ti.log_url))
    with suppress(Exception):  # where a dead worker's alarm is sent there is no XCom
        ti.xcom_push(key=TOLD, value=True)


def run_failed(context: Context) -> None:
    """Tell people of tasks that failed and could not say so: the ``on_failure_callback`` of a workflow.

    Airflow calls no task's callback when the task's process is killed, as it is when memory runs out.
    """
    ti = context.get("ti")
    if ti is None:
        return  # no task failed
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])[ti.run_id]
    for task_id in sorted(task_id for task_id, state in states.items() if state == "failed"):
        if ti.xcom_pull(task_ids=task_id, key=TOLD, map_indexes=-1) is None:
            task = context["dag"].get_task(task_id)
            tell(_failure(context, task, None, f"{_link_to_run(ti.dag_id, ti.run_id)}/tasks/{task_id}"))


def day_late(context: Mapping[str, Any], tables: Sequence[str] = ()) -> None:
    """Tell people of a run that missed its deadline: the callback of a ``DeadlineAlert``.

    Nobody is told of a run that somebody asked for when its hour had passed already: a backfill, a trigger by hand. Of a
    scheduled one they are, for its day is late, whatever kept the scheduler from it.

    Args:
        context: the run and the deadline, as plain data: no task is at hand here.
        tables: what the run should have published.
    """
    run = context["dag_run"]
    start = run["data_interval_start"]
    run_id, deadline = run["dag_run_id"], _moment(context["deadline"]["deadline_time"])
    queued_at = _moment(run["queued_at"] or deadline)
    asked_late = queued_at > deadline
    if run["run_type"] == "backfill" or (run["run_type"] == "manual" and asked_late):
        log.info("%s, run %s: its hour had passed when somebody asked for it; nobody is told", run["dag_id"], run_id)
        return
    reason = f"not published by {deadline:%Y-%m-%d %H:%M} UTC; the run is {run['state']}"
    if asked_late:
        reason += f", and was queued at {queued_at:%Y-%m-%d %H:%M} UTC: Airflow stood still, or the workflow was paused"
    tell(
        Alarm(
            kind="late",
            workflow=run["dag_id"],
            run=run_id,
            task="",
            tables=tuple(tables),
            partition=_partition(run["partition_key"], start and _moment(start), run_id),
            reason=reason,
            link=_link_to_run(run["dag_id"], run_id),
        )
    )


def tell(alarm: Alarm) -> None:
    """Send an alarm by all ways that the settings name. Never raises."""
    # Here and not above, because reading a workflow's file must not import it.
    from schemas.runtime.errors import ClickwrightError
    from schemas.runtime.settings import get_settings

    try:
        settings = get_settings()
    except ClickwrightError as error:
        log.error("nobody was told of an alarm, because of a %s; %s", error, _one_line(alarm.text))
        return
    for name in settings.alarm_channels:
        try:
            _in_time(CHANNELS[name], alarm, settings)
        except (Exception, AirflowTaskTimeout) as error:
            log.error("alarm not sent by %s: %s: %s", name, type(error).__name__, _one_line(str(error)))


def _in_time(channel: "Callable[[Alarm, Settings], None]", alarm: Alarm, settings: "Settings") -> None:
    """A limit for the whole; time-outs of a socket begin again with every answer and every new attempt."""
    from airflow.sdk.execution_time.timeout import timeout

    with timeout(TIMEOUT_S, "no answer in time"):
        channel(alarm, settings)


def _to_log(alarm: Alarm, settings: "Settings") -> None:
    log.error("alarm: %s; %s; %s", alarm.subject, alarm.reason, alarm.link)
    line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), **alarm.as_dict()})
    settings.logs.mkdir(parents=True, exist_ok=True)
    with (settings.logs / "alarms.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


# The notifiers' own `notify`, here and below, and not a call of the notifier: that would take what stands in a
# program's error message for a template, and fill in whatever it asks for.


def _to_smtp(alarm: Alarm, settings: "Settings") -> None:
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    body = f"<pre>{html.escape(alarm.text)}</pre>"
    SmtpNotifier(to=settings.alarm_addresses, subject=alarm.subject, html_content=body, smtp_conn_id=SMTP).notify({})


def _to_slack(alarm: Alarm, settings: "Settings") -> None:
    from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

    text = html.escape(alarm.text, quote=False)  # Slack's own rule; a `<!channel>` in it would call everybody
    SlackWebhookNotifier(slack_webhook_conn_id=SLACK, text=text, timeout=TIMEOUT_S).notify({})


def _to_webhook(alarm: Alarm, settings: "Settings") -> None:
    from airflow.providers.http.notifications.http import HttpNotifier
    from airflow.sdk import BaseHook
    from airflow.sdk.log import mask_secret

    # The path of a webhook's address often holds its secret, and the provider logs the address when nobody answers.
    address = urlsplit(BaseHook.get_connection(WEBHOOK).host or "")
    for part in re.findall(r"[\w.~-]{16,}", f"{address.path} {address.query}"):
        mask_secret(part)
    HttpNotifier(http_conn_id=WEBHOOK, json=alarm.as_dict(), extra_options={"timeout": TIMEOUT_S}).notify({})


CHANNELS: "dict[str, Callable[[Alarm, Settings], None]]" = {
    "log": _to_log,
    "smtp": _to_smtp,
    "slack": _to_slack,
    "webhook": _to_webhook,
}
"""Every way that the setting may name."""


def _failure(context: Context, task: Any, error: object, link: str) -> Alarm:
    run, run_id = context["dag_run"], context["ti"].run_id
    return Alarm(
        kind="failed",
        workflow=task.dag_id,
        run=run_id,
        task=task.task_id,
        tables=tuple(getattr(task, "writes", ())),
        partition=_partition(run.partition_key, run.data_interval_start, run_id),
        reason=_reason(error),
        link=link,
    )


def _reason(error: object) -> str:
    if error is None or not (said := _one_line(str(error))):
        return "the task ended before it said why; see the log"
    return said if isinstance(error, AirflowException | str) else f"{type(error).__name__}: {said}"


def _one_line(text: str) -> str:
    """A message on one line, of bearable length, without the secrets that Airflow knows and without passwords in addresses."""
    from airflow.sdk._shared.secrets_masker import redact

    from schemas.runtime.settings import shown

    line = shown(str(redact(" ".join(text.split()))))
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]} ..."


def _partition(key: str | None, interval_start: datetime | None, run_id: str) -> str:
    """The partition that the run is for: by its key, else the day on which its data interval begins."""
    if key:
        return " ".join(key.split())
    return interval_start.astimezone(UTC).date().isoformat() if interval_start else run_id


def _moment(value: str | datetime) -> datetime:
    return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)


def _link_to_run(dag_id: str, run_id: str) -> str:
    from airflow.sdk.configuration import conf

    base_url = conf.get("api", "base_url", fallback="http://localhost:8080")
    return f"{base_url.rstrip('/')}/dags/{dag_id}/runs/{quote(run_id)}"
