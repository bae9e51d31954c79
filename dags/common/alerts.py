"""Alerts: messages to people about a failed task or a late day.

``CLICKWRIGHT_ALARMS`` lists the channels. Servers and secrets are Airflow connections:

- ``log``: an error in the log of the task, and a JSON line in ``<var>/logs/alarms.jsonl``.
- ``smtp``: a mail to ``CLICKWRIGHT_ALARM_RECIPIENTS``, through the connection ``smtp_default``::

      AIRFLOW_CONN_SMTP_DEFAULT='{"conn_type": "smtp", "host": "mail.example.org", "port": 587, "login": "...",
        "password": "...", "extra": {"from_email": "alerts@example.org", "disable_ssl": true}}'

  (``disable_ssl`` is for servers that use STARTTLS, the usual choice on port 587.)
- ``slack``: a message through the incoming webhook of the connection ``slackwebhook_default``::

      AIRFLOW_CONN_SLACKWEBHOOK_DEFAULT='{"conn_type": "slackwebhook", "password": "T000/B000/..."}'

- ``webhook``: the alert as JSON, posted to the connection ``alarm_webhook``; its ``extra`` holds the HTTP headers::

      AIRFLOW_CONN_ALARM_WEBHOOK='{"conn_type": "http", "host": "https://hooks.example.org/alerts",
        "extra": {"Authorization": "Bearer ..."}}'

Define the connections in the environment of the scheduler (tasks inherit it) and of the DAG processor, or in a secrets
backend: Airflow 3.3.2 does not give the callback of a deadline the connections of its own database.

If a channel fails, the error goes to the log; the other channels and the task are not affected.
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
"""Limit for each channel. The DAG processor sends the alert of a dead worker, and it ends callbacks after 50 s."""

LONGEST_REASON = 1000
TOLD = "alarm"
"""XCom key that marks a failed task whose alert was sent."""

SMTP, SLACK, WEBHOOK = "smtp_default", "slackwebhook_default", "alarm_webhook"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alarm:
    """An alert about a failed task or a late run.

    >>> alert = Alarm("failed", "behaviour_day", "run 1", "clean.audit", ("events",), "1998-04-16", "rule broken", "http://x")
    >>> alert.subject
    'behaviour_day failed at clean.audit: 1998-04-16'
    """

    kind: str
    """``failed`` (a task) or ``late`` (a run)."""
    workflow: str
    run: str
    task: str
    """Empty if the alert is about a whole run."""
    tables: tuple[str, ...]
    """The tables that were not written; empty for a task that writes no table."""
    partition: str
    reason: str
    link: str

    @property
    def subject(self) -> str:
        """The alert in a few words."""
        what = f"failed at {self.task}" if self.task else f"is {self.kind}"
        return f"{self.workflow} {what}: {self.partition}"

    @property
    def text(self) -> str:
        """The alert as text, one fact per line."""
        facts = {
            "tables": ", ".join(self.tables) or "none",
            "partition": self.partition,
            "reason": self.reason,
            "run": self.run,
            "link": self.link,
        }
        return "\n".join([self.subject, *(f"{name}: {fact}" for name, fact in facts.items())])

    def as_dict(self) -> dict[str, Any]:
        """The alert as a JSON object."""
        return {"subject": self.subject, **asdict(self)}


def task_failed(context: Context) -> None:
    """Send an alert about a task without retries left: the ``on_failure_callback`` of every task."""
    ti = context["ti"]
    tell(_failure(context, context["task"], context.get("exception"), ti.log_url))
    with suppress(Exception):  # the DAG processor, which sends a dead worker's alert, has no XCom
        ti.xcom_push(key=TOLD, value=True)


def run_failed(context: Context) -> None:
    """Send alerts about failed tasks that sent none themselves: the ``on_failure_callback`` of a workflow.

    Airflow does not call the callback of a task whose process is killed, for example when memory runs out.
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
    """Send an alert about a run that missed its deadline: the callback of a ``DeadlineAlert``.

    A backfill, or a manual run that was triggered after the deadline, sends no alert. A scheduled run always does, even if
    the scheduler started it late.

    Args:
        context: the run and the deadline as plain data; this context has no task.
        tables: the tables that the run should have published.
    """
    run = context["dag_run"]
    start = run["data_interval_start"]
    run_id, deadline = run["dag_run_id"], _moment(context["deadline"]["deadline_time"])
    queued_at = _moment(run["queued_at"] or deadline)
    asked_late = queued_at > deadline
    if run["run_type"] == "backfill" or (run["run_type"] == "manual" and asked_late):
        log.info("%s, run %s: requested after its deadline; no alert is sent", run["dag_id"], run_id)
        return
    reason = f"not published by {deadline:%Y-%m-%d %H:%M} UTC; the run is {run['state']}"
    if asked_late:
        reason += f", and was queued at {queued_at:%Y-%m-%d %H:%M} UTC: Airflow was down, or the workflow was paused"
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
    """Send an alert through every channel in the settings. Never raises."""
    # Imported here, because parsing a DAG file must not import `schemas`.
    from schemas.runtime.errors import ClickwrightError
    from schemas.runtime.settings import get_settings

    try:
        settings = get_settings()
    except ClickwrightError as error:
        log.error("alert not sent: %s; %s", error, _one_line(alarm.text))
        return
    for name in settings.alarm_channels:
        try:
            _in_time(CHANNELS[name], alarm, settings)
        except (Exception, AirflowTaskTimeout) as error:
            log.error("alert not sent through %s: %s: %s", name, type(error).__name__, _one_line(str(error)))


def _in_time(channel: "Callable[[Alarm, Settings], None]", alarm: Alarm, settings: "Settings") -> None:
    """Limit the total time; the timeout of a socket restarts with every answer and every retry."""
    from airflow.sdk.execution_time.timeout import timeout

    with timeout(TIMEOUT_S, "no answer in time"):
        channel(alarm, settings)


def _to_log(alarm: Alarm, settings: "Settings") -> None:
    log.error("alert: %s; %s; %s", alarm.subject, alarm.reason, alarm.link)
    line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), **alarm.as_dict()})
    settings.logs.mkdir(parents=True, exist_ok=True)
    with (settings.logs / "alarms.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


# Here and below, `notify` is called, not the notifier itself: calling the notifier would render the text as a Jinja
# template, and the text contains error messages of other programs.


def _to_smtp(alarm: Alarm, settings: "Settings") -> None:
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    body = f"<pre>{html.escape(alarm.text)}</pre>"
    SmtpNotifier(to=settings.alarm_addresses, subject=alarm.subject, html_content=body, smtp_conn_id=SMTP).notify({})


def _to_slack(alarm: Alarm, settings: "Settings") -> None:
    from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

    text = html.escape(alarm.text, quote=False)  # as Slack requires; otherwise `<!channel>` in a message would notify everyone
    SlackWebhookNotifier(slack_webhook_conn_id=SLACK, text=text, timeout=TIMEOUT_S).notify({})


def _to_webhook(alarm: Alarm, settings: "Settings") -> None:
    from airflow.providers.http.notifications.http import HttpNotifier
    from airflow.sdk import BaseHook
    from airflow.sdk.log import mask_secret

    # The path of a webhook's URL often contains a secret, and the provider logs the URL when the server does not answer.
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
"""All channels, by the name that the setting uses."""


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
        return "the task ended without an error message; see the log"
    return said if isinstance(error, AirflowException | str) else f"{type(error).__name__}: {said}"


def _one_line(text: str) -> str:
    """A message on one line, at most 1000 characters, without Airflow's masked secrets and without passwords in URLs."""
    from airflow.sdk._shared.secrets_masker import redact

    from schemas.runtime.masking import shown

    line = shown(str(redact(" ".join(text.split()))))
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]} ..."


def _partition(key: str | None, interval_start: datetime | None, run_id: str) -> str:
    """The run's partition: its key, else the first day of its data interval, else its id.

    >>> _partition(None, datetime(1998, 4, 16, 1, tzinfo=UTC), "manual__1")
    '1998-04-16'
    """
    if key:
        return " ".join(key.split())
    return interval_start.astimezone(UTC).date().isoformat() if interval_start else run_id


def _moment(value: str | datetime) -> datetime:
    return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)


def _link_to_run(dag_id: str, run_id: str) -> str:
    from airflow.sdk.configuration import conf

    base_url = conf.get("api", "base_url", fallback="http://localhost:8080")
    return f"{base_url.rstrip('/')}/dags/{dag_id}/runs/{quote(run_id)}"
