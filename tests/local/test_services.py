"""The services, started for real: ports, runs, approvals, alerts, restarts and shutdown."""

import json
import socket
import stat
import time
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from local.stack import __main__ as services_module
from local.stack.__main__ import Services
from local.stack.airflow_client import AirflowClient, AirflowError
from local.stack.configuration import password, passwords_file, write_config
from schemas.runtime.mlflow_rest import local_password
from schemas.runtime.settings import Settings, get_settings
from tests.local.conftest import free_port
from tests.polling import gone, until, wait_for

FIRST, LAST = date(2024, 2, 28), date(2024, 2, 29)


def test_keys_and_passwords_are_private_files(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path / "var")
    write_config(settings, settings.var / "airflow", "127.0.0.1")
    files = [*settings.secrets.iterdir(), settings.var / "airflow" / "airflow.cfg"]
    assert len(files) == 5
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert {stat.S_IMODE(file.parent.stat().st_mode) for file in files} == {0o700}
    assert len(password(settings)) >= 16
    assert password(settings) == json.loads(passwords_file(settings).read_text())["admin"]
    before = (settings.var / "airflow" / "airflow.cfg").read_text()
    write_config(settings, settings.var / "airflow", "127.0.0.1")
    assert (settings.var / "airflow" / "airflow.cfg").read_text() == before
    other = Settings(var=tmp_path / "other")
    assert password(other) != password(settings)


def test_port_in_use_is_reported_with_a_remedy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        monkeypatch.setenv("CLICKWRIGHT_AIRFLOW_PORT", str(port))
        assert services_module.main(["up"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"error: port {port} of airflow-api-server is in use; by ")
    assert f"CLICKWRIGHT_AIRFLOW_PORT={port + 10}" in said[0]


def test_down_without_services_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert services_module.main(["down"]) == 0
    assert capsys.readouterr().out == "Nothing was running.\n"


def test_status_fails_and_says_how_to_start_when_something_is_down(capsys: pytest.CaptureFixture[str]) -> None:
    assert services_module.main(["status"]) == 1
    said = capsys.readouterr()
    assert said.out.count("not running") == len(Services(get_settings()).programs())
    assert said.err.startswith("error: not running: fork-server, airflow-api-server, ")
    assert said.err.endswith("; start with `make up`\n")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_services_listen_on_loopback_only(live: Services, airflow: AirflowClient) -> None:
    assert set(airflow.health().values()) == {"healthy"}
    airflow.wait_for_dags(["behaviour_day", "train_recommender", "recommend", "probe", "sleeper", "daily"])
    assert airflow.import_errors() == {}
    assert httpx.get(f"{live.mlflow_url}/health").status_code == 401
    assert httpx.get(f"{live.mlflow_url}/health", auth=("admin", local_password(live.settings))).text == "OK"
    assert live.up() is False
    listening = [
        connection.laddr
        for daemon in live.programs()
        if (head := live.daemons.find(daemon.name))
        for process in [head, *head.children(recursive=True)]
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    ports = {live.settings.airflow_port, live.settings.mlflow_port}
    assert {(address.ip, address.port) for address in listening} == {("127.0.0.1", port) for port in ports}


@pytest.mark.slow
def test_wrong_password_is_rejected(live: Services) -> None:
    with pytest.raises(AirflowError, match="401"):
        AirflowClient(live.airflow_url, "admin", "wrong").dag_ids()


@pytest.mark.slow
def test_missing_airflow_is_reported_after_retries() -> None:
    with pytest.raises(AirflowError, match=r"no answer from Airflow.*make up"):
        AirflowClient(f"http://127.0.0.1:{free_port()}", "admin", "x", patience_s=1).dag_ids()


@pytest.mark.slow
def test_run_retries_refuses_skips_and_asks(airflow: AirflowClient, tmp_path: Path) -> None:
    airflow.wait_for_dags(["probe"])
    airflow.unpause("probe")
    run = airflow.trigger("probe", conf={"file": str(tmp_path / "there")})
    subjects = []

    def approve(*_: object) -> None:
        for approval in airflow.approvals("probe", run.run_id):
            subjects.append((approval.subject, "'rows': 3" in approval.body))
            airflow.answer(approval, "Approve")

    (ended,) = airflow.wait("probe", [run.run_id], timeout_s=120, progress=approve, poll_s=0.5)
    assert ended.state == "failed"
    # Airflow's operator asks again if the answer arrives while the task is being deferred.
    assert set(subjects) == {("Go on?", True)}
    tasks = {task.task_id: (task.state, task.try_number) for task in airflow.tasks("probe", run.run_id)}
    assert tasks["once"] == ("success", 2)
    assert tasks["ask"][0] == "success"
    assert (tasks["go_on"][0], tasks["stop"][0]) == ("success", "skipped")
    assert airflow.result("probe", run.run_id, "ask") == {"answer": "Approve", "by": "admin"}
    assert tasks["refuse"] == ("failed", 1)
    assert tasks["after_refusal"][0] == "upstream_failed"
    assert tasks["nothing"] == ("skipped", 1)
    assert tasks["after_nothing"][0] == "skipped"
    assert airflow.failures("probe", run.run_id) == {"refuse": "told to refuse; in the probe; tell it otherwise"}
    assert airflow.result("probe", run.run_id, "go_on") == {"what": "succeed", "rows": 3}


@pytest.mark.slow
def test_no_answer_counts_as_a_rejection(airflow: AirflowClient, tmp_path: Path) -> None:
    airflow.unpause("probe")
    run = airflow.trigger("probe", conf={"file": str(tmp_path / "there"), "response_hours": 4 / 3600})
    airflow.wait("probe", [run.run_id], timeout_s=120, poll_s=0.5)  # nobody answers
    tasks = {task.task_id: task.state for task in airflow.tasks("probe", run.run_id)}
    assert tasks["ask"] == "success"
    assert (tasks["go_on"], tasks["stop"]) == ("skipped", "success")
    assert airflow.result("probe", run.run_id, "ask") == {"answer": "Reject", "by": "nobody"}


@pytest.mark.slow
def test_backfill_waits_while_the_workflow_is_paused(airflow: AirflowClient) -> None:
    airflow.wait_for_dags(["daily"])
    airflow.pause("daily")
    airflow.create_backfill("daily", FIRST, LAST)
    assert airflow.is_paused("daily")
    time.sleep(4)
    assert [run.state for run in airflow.runs("daily", FIRST, LAST)] == ["queued", "queued"]
    airflow.unpause("daily")
    runs = airflow.runs("daily", FIRST, LAST)
    ended = airflow.wait("daily", [run.run_id for run in runs], timeout_s=90, poll_s=0.5)
    assert {run.state for run in ended} == {"success"}
    starts = [run.interval_start for run in ended]
    assert starts == ["2024-02-28T01:00:00Z", "2024-02-29T01:00:00Z"]
    again = airflow.trigger("daily", arrived_on=LAST)
    assert again.run_id == ended[1].run_id
    other = airflow.trigger("daily", arrived_on=date(2024, 3, 1))
    assert other.interval_start == "2024-03-01T01:00:00Z"
    latest = [run for run in airflow.runs("daily") if run.run_type == "scheduled"]
    assert len(latest) == 1  # started by unpausing


@pytest.mark.slow
def test_failed_task_and_late_run_send_one_alert_each(live: Services, airflow: AirflowClient, tmp_path: Path) -> None:
    dag_ids = ["probe", "late", "daily", "killed"]
    airflow.wait_for_dags(dag_ids)
    for dag_id in dag_ids:
        airflow.unpause(dag_id)
    late = airflow.trigger("late")
    failed = airflow.trigger("probe", conf={"file": str(tmp_path / "there"), "response_hours": 4 / 3600})
    long_ago = airflow.trigger("daily", arrived_on=date(2024, 3, 5))
    airflow.wait("probe", [failed.run_id], timeout_s=120, poll_s=0.5)
    airflow.wait("late", [late.run_id], timeout_s=60, poll_s=0.5)

    killed = airflow.trigger("killed", conf={"file": str(tmp_path / "child")})
    child = psutil.Process(int(wait_for(tmp_path / "child")))
    task = airflow._call("GET", f"/dags/killed/dagRuns/{killed.run_id}/taskInstances/sleep")
    psutil.Process(task["pid"]).kill()
    until(lambda: gone(child))  # the command does not outlive its task
    airflow.wait("killed", [killed.run_id], timeout_s=60, poll_s=0.5)
    (alarm,) = until(lambda: alarms_of(live, killed.run_id))
    assert (alarm["kind"], alarm["workflow"], alarm["task"], alarm["tables"]) == ("failed", "killed", "sleep", ["probes"])
    assert alarm["reason"] == "the task ended without an error message; see the log"

    # `once` failed too, but was retried; and the end of the run sends no second alert about `refuse`.
    (alarm,) = alarms_of(live, failed.run_id)
    assert (alarm["kind"], alarm["workflow"], alarm["task"]) == ("failed", "probe", "refuse")
    assert alarm["reason"] == "told to refuse; in the probe; tell it otherwise"
    assert alarm["link"].startswith(f"{live.airflow_url}/dags/probe/runs/manual__")
    assert alarm["link"].endswith("/tasks/refuse?try_number=1")

    (alarm,) = alarms_of(live, late.run_id)
    assert (alarm["kind"], alarm["workflow"], alarm["tables"]) == ("late", "late", ["probes"])
    assert alarm["reason"].endswith("; the run is running")
    assert alarm["link"].startswith(f"{live.airflow_url}/dags/late/runs/manual__")

    callbacks = live.airflow_home / "logs" / "executor_callbacks" / "daily" / long_ago.run_id
    logs = [wait_for(log) for log in until(lambda: list(callbacks.glob("*")))]
    assert ["no alert is sent" in log for log in logs] == [True]
    assert alarms_of(live, long_ago.run_id) == []


def alarms_of(live: Services, run_id: str) -> list[dict[str, Any]]:
    lines = wait_for(live.settings.logs / "alarms.jsonl").splitlines()
    return [alarm for alarm in map(json.loads, lines) if alarm["run"] == run_id]


@pytest.mark.slow
def test_keeper_restarts_a_killed_service(live: Services, airflow: AirflowClient) -> None:
    before = {daemon.name: live.daemons.find(daemon.name) for daemon in live.programs()}
    scheduler = before["airflow-scheduler"]
    assert scheduler is not None
    scheduler.kill()
    until(lambda: live.daemons.find("airflow-scheduler") not in (None, scheduler))
    after = {daemon.name: live.daemons.find(daemon.name) for daemon in live.programs()}
    assert {name for name in after if after[name] != before[name]} == {"airflow-scheduler"}
    assert after["airflow-scheduler"] is not None
    until(lambda: airflow.health()["scheduler"] == "healthy")
    assert "airflow-scheduler had ended" in live.daemons.log_file("keeper").read_text()


@pytest.mark.slow
def test_down_ends_running_tasks_and_all_processes(live: Services, airflow: AirflowClient, tmp_path: Path) -> None:
    airflow.wait_for_dags(["sleeper"])
    airflow.unpause("sleeper")
    airflow.trigger("sleeper", conf={"file": str(tmp_path / "child")})
    child = psutil.Process(int(wait_for(tmp_path / "child")))
    heads = [process for daemon in live.programs() if (process := live.daemons.find(daemon.name))]
    family = {
        *heads,
        *(below for head in heads for below in head.children(recursive=True)),
    }  # including the one that the keeper restarted
    assert live.down() >= len(family)
    assert all(gone(process) for process in [child, *family])
    assert live.daemons.strays() == []
    assert live.down() == 0
    with pytest.raises(AirflowError):
        airflow.health()
