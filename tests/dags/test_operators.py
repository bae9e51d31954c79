"""The operators run real commands and map their output and exit codes to results, messages, skips and retries."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from dags.common.command_result import error_line, failure, given, result_line
from dags.common.module_operator import ModuleOperator
from dags.common.spark_operator import SparkJobOperator
from schemas.runtime.errors import NobodyFound
from tests.polling import gone, wait_for

pytestmark = pytest.mark.slow

PROBE = "tests.dags.probe"


@pytest.fixture(autouse=True)
def _outside_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)


def probe(*arguments: str) -> ModuleOperator:
    return ModuleOperator(task_id="probe", module=PROBE, arguments=arguments)


def test_last_line_is_the_result() -> None:
    assert probe("succeed", "").execute({}) == {"what": "succeed", "rows": 3}


@pytest.mark.parametrize(
    ("what", "raised"),
    [
        ("fail", AirflowException),
        ("misconfigured", AirflowFailException),
        ("refuse", AirflowFailException),
        ("nothing", AirflowSkipException),
    ],
)
def test_message_is_the_commands_error_line(what: str, raised: type[AirflowException]) -> None:
    with pytest.raises(AirflowException) as caught:
        probe(what).execute({})
    assert type(caught.value) is raised
    assert str(caught.value) == f"told to {what}; in the probe; tell it otherwise"


def test_crash_is_one_line_and_retried() -> None:
    with pytest.raises(AirflowException, match=r"^RuntimeError: nobody expected this$") as caught:
        probe("crash").execute({})
    assert type(caught.value) is AirflowException


def test_wrong_argument_is_not_retried() -> None:
    with pytest.raises(AirflowFailException, match="invalid choice: 'dance'"):
        probe("dance").execute({})


def test_on_kill_ends_the_command_and_its_children(tmp_path: Path) -> None:
    task = probe("sleep", "--file", str(tmp_path / "child"))
    with running(task) as message:
        child = psutil.Process(int(wait_for(tmp_path / "child")))
        task.on_kill()
    assert "was ended by SIGTERM" in message[0]
    assert gone(child)


def test_last_error_and_last_result_win() -> None:
    lines = ["error: first", '{"rows": 1}', "prog.py: error: second", '{"rows": 2}', "a warning after it"]
    assert error_line(lines) == "second"
    assert result_line(lines) == {"rows": 2}
    assert result_line(["[1]", "{not json"]) is None
    assert given(["--a", "", " ", "--b"]) == ["--a", "--b"]


def test_signals_are_named() -> None:
    for code in (-9, 137):
        assert str(failure("jobs.clean", code, [])).startswith("jobs.clean was ended by SIGKILL")
    assert str(failure("jobs.clean", 7, ["words", ""])) == "jobs.clean ended with exit code 7: words"


def test_an_erasure_that_found_nobody_is_not_tried_again() -> None:
    assert type(failure("schemas.erasure", NobodyFound.exit_code, ["error: line 2 found nobody"])) is AirflowFailException


@pytest.mark.parametrize(("what", "raised"), [("refuse", AirflowFailException), ("nothing", AirflowSkipException)])
def test_spark_job_reports_its_error_line(what: str, raised: type[AirflowException], spark_submit: None) -> None:
    with pytest.raises(AirflowException) as caught:
        spark_probe(what).execute({})
    assert type(caught.value) is raised
    assert str(caught.value) == f"told to {what}; in the probe; tell it otherwise"
    assert caught.value.__cause__ is None


def test_spark_job_returns_its_result_and_can_be_killed(spark_submit: None, tmp_path: Path) -> None:
    assert spark_probe("succeed", "").execute({}) == {"what": "succeed", "rows": 3}
    task = spark_probe("sleep", "--file", str(tmp_path / "child"))
    with running(task) as message:
        child = psutil.Process(int(wait_for(tmp_path / "child")))
        driver = child.parent()
        task.on_kill()
    assert "was ended by SIG" in message[0]
    assert driver is not None
    assert gone(driver)
    assert gone(child)


@pytest.fixture
def spark_submit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of a task, with all state in the test's folder."""
    from local.stack.__main__ import Services
    from schemas.runtime.settings import Settings

    for key, value in Services(Settings(var=tmp_path)).env().items():
        monkeypatch.setenv(key, value)


def spark_probe(*arguments: str) -> SparkJobOperator:
    application = str(Path(__file__).with_name("probe.py"))
    return SparkJobOperator(task_id="probe", job="probe", application=application, arguments=arguments)


@contextmanager
def running(task: ModuleOperator | SparkJobOperator) -> Iterator[list[str]]:
    """Run the task in a thread; afterwards the list holds the message of its exception."""
    message: list[str] = []

    def run() -> None:
        with pytest.raises(AirflowException) as caught:
            task.execute({})
        message.append(str(caught.value))

    thread = threading.Thread(target=run)
    thread.start()
    yield message
    thread.join(60)
