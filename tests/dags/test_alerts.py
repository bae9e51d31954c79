"""Alerts reach real servers on this machine: a mail server, Slack's webhook and a custom webhook."""

import email
import email.policy
import json
import logging
import socket
import socketserver
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from dags.common import alerts
from dags.common.alerts import day_late, task_failed
from dags.common.write_audit_publish import spark_tables
from schemas.runtime.setting_groups import ALARM_CHANNELS

pytestmark = pytest.mark.slow

LINK = "http://airflow.example/dags/behaviour_day/runs/r/tasks/clean.audit?try_number=1"
REASON = "events: rule 'no <!channel> and no {{ ti.task_id }}' broken; on 1998-04-16; clear clean.build"
WEBHOOK_SECRET = "T0123456789abcdefghij"


class MailHandler(socketserver.StreamRequestHandler):
    """A minimal mail server: it accepts every mail."""

    def handle(self) -> None:
        self.say("220 here")
        while line := self.rfile.readline().strip():
            match line.split()[0].upper():
                case b"DATA":
                    self.say("354 go on")
                    self.server.received.append(b"".join(iter(self.rfile.readline, b".\r\n")))  # type: ignore[attr-defined]
                    self.say("250 kept")
                case b"QUIT":
                    return self.say("221 bye")
                case _:
                    self.say("250 fine")
        return None

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class PostHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.path, self.headers, body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


def serving(server: Any) -> Iterator[Any]:
    server.received = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for server in serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailHandler)):
        connect_mail(monkeypatch, server.server_address[1])
        yield server


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for server in serving(ThreadingHTTPServer(("127.0.0.1", 0), PostHandler)):
        connect_web(monkeypatch, server.server_address[1])
        yield server


def connect_mail(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    extra = {"from_email": "alarms@example.org", "disable_ssl": True, "disable_tls": True}
    connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("CLICKWRIGHT_ALARM_RECIPIENTS", "one@example.org, two@example.org")


def connect_web(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    slack = {"conn_type": "slackwebhook", "host": f"http://127.0.0.1:{port}/services", "password": "T00/B00/secret"}
    extra = {"Authorization": "Bearer sesame"}
    webhook = {"conn_type": "http", "host": f"http://127.0.0.1:{port}/alarms/{WEBHOOK_SECRET}", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SLACKWEBHOOK_DEFAULT", json.dumps(slack))
    monkeypatch.setenv("AIRFLOW_CONN_ALARM_WEBHOOK", json.dumps(webhook))


def context_of_failure(**others: Any) -> Any:
    with DAG("behaviour_day") as dag:
        spark_tables("clean", [], tooltip="", writes=["events", "rejects"])
    ti = SimpleNamespace(run_id="r", log_url=LINK)
    run = SimpleNamespace(partition_key=None, data_interval_start=datetime(1998, 4, 16, 1, tzinfo=UTC))
    return {"ti": ti, "dag_run": run, "task": dag.get_task("clean.audit"), "exception": AirflowFailException(REASON), **others}


def context_of_lateness(**others: Any) -> Any:
    run = {
        "dag_id": "behaviour_day",
        "dag_run_id": "scheduled__1998-04-17T01:00:00+00:00",
        "run_type": "scheduled",
        "state": "running",
        "queued_at": "1998-04-17T01:00:01Z",
        "data_interval_start": "1998-04-16T01:00:00Z",
        "partition_key": None,
    }
    deadline = {"id": "7", "deadline_time": datetime(1998, 4, 17, 4, tzinfo=UTC)}
    return {"dag_run": {**run, **others}, "deadline": deadline}


def written(var: Path) -> list[dict[str, Any]]:
    file = var / "logs" / "alarms.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_every_channel_of_the_setting_exists() -> None:
    assert tuple(alerts.CHANNELS) == ALARM_CHANNELS


def test_log_is_the_default_channel(var: Path, caplog: pytest.LogCaptureFixture) -> None:
    task_failed(context_of_failure())
    (alarm,) = written(var)
    assert datetime.fromisoformat(alarm.pop("at")).tzinfo
    assert alarm == {
        "subject": "behaviour_day failed at clean.audit: 1998-04-16",
        "kind": "failed",
        "workflow": "behaviour_day",
        "run": "r",
        "task": "clean.audit",
        "tables": ["events", "rejects"],
        "partition": "1998-04-16",
        "reason": REASON,
        "link": LINK,
    }
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert REASON in record.getMessage()
    assert LINK in record.getMessage()


def test_mail_has_tables_partition_reason_and_link(mail: Any, var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_ALARMS", "smtp")
    task_failed(context_of_failure())
    (received,) = mail.received
    message = email.message_from_bytes(received, policy=email.policy.default)
    assert message["To"] == "one@example.org, two@example.org"
    assert message["From"] == "alarms@example.org"
    assert message["Subject"] == "behaviour_day failed at clean.audit: 1998-04-16"
    (part,) = message.iter_parts()
    lines = part.get_content().splitlines()
    assert "tables: events, rejects" in lines
    assert "partition: 1998-04-16" in lines
    assert f"reason: {REASON.replace('<', '&lt;').replace('>', '&gt;').replace(chr(39), '&#x27;')}" in lines
    assert any(line.startswith(f"link: {LINK}") for line in lines)
    assert written(var) == []


def test_slack_message_is_escaped_and_notifies_no_channel(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_ALARMS", "slack")
    task_failed(context_of_failure())
    ((path, _, body),) = web.received
    assert path == "/services/T00/B00/secret"
    assert body["text"].splitlines() == [
        "behaviour_day failed at clean.audit: 1998-04-16",
        "tables: events, rejects",
        "partition: 1998-04-16",
        f"reason: {REASON.replace('<', '&lt;').replace('>', '&gt;')}",
        "run: r",
        f"link: {LINK}",
    ]


def test_webhook_gets_json_and_the_connection_headers(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_ALARMS", "webhook")
    task_failed(context_of_failure())
    ((path, headers, body),) = web.received
    assert path == f"/alarms/{WEBHOOK_SECRET}"
    assert headers["Authorization"] == "Bearer sesame"
    assert (body["kind"], body["tables"], body["partition"]) == ("failed", ["events", "rejects"], "1998-04-16")
    assert (body["reason"], body["link"]) == (REASON, LINK)


def test_failing_channels_do_not_affect_the_others(
    web: Any, var: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alerts, "TIMEOUT_S", 1)
    monkeypatch.setenv("CLICKWRIGHT_ALARMS", "smtp,slack,webhook,log")
    monkeypatch.delenv("AIRFLOW_CONN_SLACKWEBHOOK_DEFAULT")  # not configured
    with socket.socket() as silent:  # accepts connections, never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        connect_mail(monkeypatch, silent.getsockname()[1])
        task_failed(context_of_failure())
    assert len(web.received) == len(written(var)) == 1
    said = [record.getMessage() for record in caplog.records if record.name == alerts.__name__]
    assert said[0].startswith("alert not sent through smtp: AirflowTaskTimeout: no answer in time")
    assert said[1].startswith("alert not sent through slack: AirflowNotFoundException: The conn_id `slackwebhook_default`")
    assert said[2].startswith("alert: behaviour_day failed at clean.audit")


def test_webhook_secret_is_masked_when_the_server_is_down(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        connect_web(monkeypatch, closed.getsockname()[1])
    monkeypatch.setenv("CLICKWRIGHT_ALARMS", "webhook")
    task_failed(context_of_failure())
    (said,) = [record.getMessage() for record in caplog.records if record.name == alerts.__name__]
    assert said.startswith("alert not sent through webhook: ConnectionError: ")
    assert WEBHOOK_SECRET not in said


def test_empty_setting_sends_nothing(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_ALARMS", "")
    task_failed(context_of_failure())
    assert written(var) == []


def test_wrong_setting_leaves_the_alert_in_the_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("CLICKWRIGHT_ALARMS", "pigeon")
    task_failed(context_of_failure())
    (record,) = caplog.records
    assert "wrong setting CLICKWRIGHT_ALARMS='pigeon'" in record.getMessage()
    assert REASON in record.getMessage()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (None, "the task ended without an error message; see the log"),
        (KeyError("page"), "KeyError: 'page'"),
        (AirflowFailException("two\n  lines"), "two lines"),
        (
            AirflowFailException("no answer from postgresql://lake:s3cret@db/lake"),
            "no answer from postgresql://lake:***@db/lake",
        ),
        (AirflowFailException("x" * 2000), f"{'x' * 1000} ..."),
    ],
)
def test_reason_is_one_line_without_passwords(error: Exception | None, reason: str, var: Path) -> None:
    task_failed(context_of_failure(exception=error))
    assert [alarm["reason"] for alarm in written(var)] == [reason]


def test_partition_falls_back_to_the_day_then_the_run_id(var: Path) -> None:
    day = datetime(1998, 4, 16, 1, tzinfo=UTC)
    for key, start in (("1998-04-15", day), (None, day), (None, None)):
        task_failed(context_of_failure(dag_run=SimpleNamespace(partition_key=key, data_interval_start=start)))
    assert [alarm["partition"] for alarm in written(var)] == ["1998-04-15", "1998-04-16", "r"]


def test_late_day_alert_names_its_deadline(var: Path) -> None:
    day_late(context_of_lateness(), tables=["events", "profiles"])
    (alarm,) = written(var)
    assert alarm["subject"] == "behaviour_day is late: 1998-04-16"
    assert (alarm["kind"], alarm["task"], alarm["tables"]) == ("late", "", ["events", "profiles"])
    assert alarm["reason"] == "not published by 1998-04-17 04:00 UTC; the run is running"
    assert alarm["link"].endswith("/dags/behaviour_day/runs/scheduled__1998-04-17T01%3A00%3A00%2B00%3A00")


def test_day_queued_after_its_deadline_sends_an_alert(var: Path) -> None:
    day_late(context_of_lateness(queued_at="1998-04-17T09:30:00Z"))
    (alarm,) = written(var)
    assert "was queued at 1998-04-17 09:30 UTC" in alarm["reason"]


@pytest.mark.parametrize(("run_type", "queued_at"), [("backfill", "1998-04-17T01:00:01Z"), ("manual", "2026-11-20T08:00:00Z")])
def test_backfilled_and_manual_late_days_send_no_alert(run_type: str, queued_at: str, var: Path) -> None:
    day_late(context_of_lateness(run_type=run_type, queued_at=queued_at))
    assert written(var) == []
