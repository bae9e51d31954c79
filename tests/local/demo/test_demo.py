"""The driver of the demonstration: its runs, its error messages, and claims of the documentation.

A fake Airflow plays the runs; the client is tested against a real one in its own tests. `make demo` runs the whole
demonstration on the real services.
"""

import io
import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

import local.demo.__main__ as demo
from local.demo.driver import Driver, Watch, at_work
from local.demo.plan import FULL, SHORT
from local.demo.progress import Overview
from local.demo.terminal_summary import show
from local.demo.user_examples import choose
from local.movielens import dataset
from local.movielens.defects import LINES
from local.stack.airflow_client import DAY_DAG, LATE_DAG, RECOMMEND_DAG, TRAIN_DAG, AirflowClient, Run, Task
from schemas.runtime.errors import ClickwrightError, ConfigError
from schemas.runtime.settings import ROOT
from schemas.runtime.terminal import printable
from schemas.source import Source
from tests.local.demo.test_report import figures

HISTORY = date(1998, 4, 15)


class Played(AirflowClient):
    """A fake Airflow: its runs advance by one step at each look and end in a given state."""

    def __init__(self, ends: str = "success") -> None:
        self.ends = ends
        self.made: list[Run] = []
        self.did: list[str] = []

    def _set(self, run: Run, state: str) -> Run:
        changed = replace(run, state=state)
        self.made = [changed if r.run_id == run.run_id else r for r in self.made]
        return changed

    def add(self, dag_id: str, state: str, day: date | None = None, conf: dict[str, Any] | None = None) -> Run:
        start = f"{day}T01:00:00Z" if day else None
        run = Run(dag_id, f"{dag_id}-{len(self.made)}", state, "manual", None, start, conf or {})
        self.made.append(run)
        return run

    def pause(self, dag_id: str, paused: bool = True) -> None:
        self.did.append(f"{'pause' if paused else 'unpause'} {dag_id}")

    def trigger(self, dag_id: str, *, arrived_on: date | None = None, conf: dict[str, Any] | None = None) -> Run:
        self.did.append(f"trigger {dag_id}")
        return self.add(dag_id, "running", arrived_on, conf)

    def create_backfill(self, dag_id: str, first: date, last: date, **_: Any) -> int:
        self.did.append(f"backfill {first} {last}")
        there = {run.interval_start for run in self.runs(dag_id)}
        for number in range(first.day, last.day + 1):
            day = first.replace(day=number)
            if f"{day}T01:00:00Z" not in there:
                self.add(dag_id, "running", day)
        return 1

    def clear(self, dag_id: str, run_id: str, *, only_failed: bool = False) -> None:
        self.did.append(f"clear {run_id} {only_failed}")
        self._set(self.run(dag_id, run_id), "running")

    def run(self, dag_id: str, run_id: str) -> Run:
        return next(run for run in self.made if run.run_id == run_id)

    def runs(self, dag_id: str, first: date | None = None, last: date | None = None) -> list[Run]:
        found = [run for run in self.made if run.dag_id == dag_id]
        if first and last:
            found = [r for r in found if r.interval_start and str(first) <= r.interval_start[:10] <= str(last)]
        return found

    def tasks(self, dag_id: str, run_id: str) -> list[Task]:
        done = self.ends if self.run(dag_id, run_id).finished else "running"
        return [Task("arrivals", "success", 1, 1.0), Task("clean.audit", done, 1, 2.0)]

    def approvals(self, dag_id: str, run_id: str = "~") -> list[Any]:
        return []

    def failures(self, dag_id: str, run_id: str) -> dict[str, str]:
        return {"clean.audit": "error: events broke event_time.required; see the page"}

    def wait(self, dag_id: str, run_ids: Any, **kwargs: Any) -> list[Run]:
        for states in (None, self.ends):
            runs = [self.run(dag_id, run_id) for run_id in run_ids]
            runs = [run if run.finished or states is None else self._set(run, states) for run in runs]
            kwargs["progress"](runs, {r.run_id: self.tasks(dag_id, r.run_id) for r in runs if not r.finished})
        return runs


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


def driver(airflow: AirflowClient, said: io.StringIO, logs: Path = Path("/logs")) -> Driver:
    return Driver(airflow, logs, overview(said))


def overview(said: io.StringIO, *, terminal: bool = False) -> Overview:
    shown = Overview(Console(file=said, width=200, force_terminal=terminal), SHORT.steps)
    shown.estimate.begin(SHORT.steps[0])
    return shown


@pytest.fixture(autouse=True)
def says_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.demo.progress.SAYS_AGAIN_AFTER_S", 0.0)


def test_history_is_loaded_once(said: io.StringIO) -> None:
    airflow = Played()
    first = driver(airflow, said).history(HISTORY, dataset.HISTORY_SINCE)
    assert first.conf == {"history_since": "1997-09-20"}
    assert driver(airflow, said).history(HISTORY, dataset.HISTORY_SINCE) == airflow.run(DAY_DAG, first.run_id)
    assert airflow.did.count("trigger behaviour_day") == 1


@pytest.mark.parametrize(("task", "only_failed"), [("profiles.publish", True), ("clean.audit", False)])
def test_days_are_backfilled_once_and_failed_ones_cleared(
    said: io.StringIO, monkeypatch: pytest.MonkeyPatch, task: str, only_failed: bool
) -> None:
    """A table that an audit refused is built again; of other failures only the failed task and the ones after it."""
    airflow = Played()
    monkeypatch.setattr(airflow, "failures", lambda *_: {task: "error: no space left"})
    runs = driver(airflow, said).backfill(dataset.FIRST_DAY, dataset.LAST_DAY)
    assert str(runs[0].interval_start).startswith("1998-04-16")
    assert len(runs) == 7
    failed = airflow._set(runs[3], "failed")
    driver(airflow, said).backfill(dataset.FIRST_DAY, dataset.LAST_DAY)
    assert airflow.did == [f"backfill {dataset.FIRST_DAY} {dataset.LAST_DAY}", f"clear {failed.run_id} {only_failed}"]


def test_driver_waits_until_no_day_is_late(said: io.StringIO) -> None:
    airflow = Played()
    late = [date(1998, 4, 19), date(1998, 4, 20)]

    def started_by_airflow() -> list[date]:
        if not airflow.runs(LATE_DAG):
            for day in late:
                airflow.made.append(Run(LATE_DAG, f"late {day}", "queued", "asset", None, None, {}, partition=str(day)))
            return late
        return []

    runs = driver(airflow, said).late_days(started_by_airflow)
    assert [(run.partition, run.state) for run in runs] == [("1998-04-19", "success"), ("1998-04-20", "success")]
    assert "1998-04-19 again  clean.audit" in said.getvalue()


def test_late_days_without_a_run_are_an_error(said: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.demo.driver.FOLLOWS_WITHIN_S", 0.0)
    with pytest.raises(ClickwrightError, match="no run for the late days 1998-04-19; workflow reprocess_day"):
        driver(Played(), said).late_days(lambda: [date(1998, 4, 19)])


def test_progress_shows_day_and_task(said: io.StringIO) -> None:
    driver(Played(), said).backfill(date(1998, 4, 16), date(1998, 4, 17))
    assert "1998-04-16  clean.audit" in said.getvalue()
    assert "2 of 2 runs done; done" in said.getvalue()


def test_failed_task_is_reported_with_message_and_log(said: io.StringIO, tmp_path: Path) -> None:
    airflow = Played(ends="failed")
    log = tmp_path / "dag_id=behaviour_day" / "run_id=behaviour_day-0" / "task_id=clean.audit" / "attempt=1.log"
    log.parent.mkdir(parents=True)
    log.touch()
    with pytest.raises(ClickwrightError) as error:
        driver(airflow, said, tmp_path).history(HISTORY, dataset.HISTORY_SINCE)
    for part in ("1998-04-15", "clean.audit", "events broke event_time.required", str(log), "make demo"):
        assert part in str(error.value)
    assert "error:" not in str(error.value)


def test_training_runs_once_per_date_and_effort(said: io.StringIO) -> None:
    airflow = Played()
    _, now = driver(airflow, said).train(dataset.FIRST_DAY)
    assert now
    assert f"unpause {RECOMMEND_DAG}" in airflow.did
    _, again = driver(airflow, said).train(dataset.FIRST_DAY)
    assert not again
    _, other = driver(airflow, said).train(dataset.LAST_DAY)
    assert other
    _, thorough = driver(airflow, said).train(dataset.LAST_DAY, "quick")
    assert thorough
    assert airflow.did.count(f"trigger {TRAIN_DAG}") == 3


def test_gate_that_keeps_the_champion_is_an_outcome(said: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    airflow = Played(ends="failed")
    monkeypatch.setattr(airflow, "failures", lambda *_: {"gate": "error: it does not beat the champion, version 1"})
    with pytest.raises(ClickwrightError, match="task gate failed"):
        driver(airflow, said).train(dataset.FIRST_DAY)
    run, now = driver(airflow, said).train(dataset.FIRST_DAY, "quick", has_champion=lambda: True)
    assert (run.state, now) == ("failed", True)
    assert "the gate kept the present champion: it does not beat the champion, version 1" in said.getvalue()
    did = list(airflow.did)
    assert driver(airflow, said).train(dataset.FIRST_DAY, "quick", has_champion=lambda: True) == (run, False)
    assert not [what for what in airflow.did[len(did) :] if not what.startswith("unpause")]


@pytest.mark.parametrize(
    ("state", "done", "does"),
    [
        ("success", True, []),
        ("running", True, []),
        ("failed", False, ["clear recommend-0 False"]),
        ("success", False, ["trigger recommend"]),
        (None, False, ["trigger recommend"]),
    ],
)
def test_recommend_starts_only_missing_runs(said: io.StringIO, state: str | None, done: bool, does: Sequence[str]) -> None:
    airflow = Played()
    if state:
        airflow.add(RECOMMEND_DAG, state)
    run = driver(airflow, said).recommend(lambda: done, follows=False)
    assert run is not None
    assert run.state == "success"
    assert airflow.did == does


def test_at_work_prefers_running_tasks() -> None:
    waits, runs = Task("a", "queued", 1, None), Task("b", "running", 1, None)
    assert at_work([waits, runs]) == "b"
    assert at_work([waits]) == "a (queued)"
    assert at_work([]) == "starting"


def test_bar_counts_tasks_of_finished_and_running_runs() -> None:
    shown = overview(io.StringIO(), terminal=True)
    watch = Watch(shown, 2, 2)
    airflow = Played()
    ended, going = airflow.add(DAY_DAG, "success", HISTORY), airflow.add(DAY_DAG, "running", HISTORY)
    watch([ended, going], {going.run_id: airflow.tasks(DAY_DAG, going.run_id)})
    assert shown.estimate.share == 3 / 4


def test_users_of_different_segments_come_first() -> None:
    people = [("a", "regular"), ("b", "regular"), ("c", "new"), ("d", "casual")]
    assert choose(people, 3) == ["a", "d", "c"]
    assert choose(people[:2], 3) == ["a", "b"]


def test_summary_shows_the_main_figures(said: io.StringIO) -> None:
    show(figures(), Console(file=said, width=160))
    for shown in (
        *("balanced", "98,911", "8377410834438382072", "line.not_json 8", "transformer", "because you liked Heat"),
        *(
            "shop: 271 impression, 2 purchase",
            "11.4%",
            "93.5% of the 1,130 items",
            "Three things to try next",
            "make demo-full",
        ),
    ):
        assert shown in said.getvalue()
    assert "Heat</b> & Dust (4)" in said.getvalue()


@pytest.mark.parametrize("title", ["[/b]", "[red]x[/red]", "\x1b[2J", "\x1b]0;t\x07", "a\u202eb", "\\", "[link=file:///x]y"])
def test_summary_shows_any_title(said: io.StringIO, title: str) -> None:
    told = figures()
    (story,) = told["stories"]
    story["history"][0]["title"] = story["recommendations"][0]["title"] = story["creatives"][0]["headline"] = title
    story["segment"] = story["interests"][0] = title
    show(told, Console(file=said, width=200))
    assert not any(char in said.getvalue() for char in "\x1b\x07\u202e")
    assert said.getvalue().replace("\\", "").count(printable(title).replace("\\", "")) >= 4


def test_summary_fits_a_narrow_terminal(said: io.StringIO) -> None:
    show(figures(), Console(file=said, width=80))
    assert "line.not_json" in said.getvalue()


@pytest.mark.parametrize("wrong", [{"found": 7}, {"balanced": False}])
def test_broken_promises_fail_the_demonstration(wrong: dict[str, Any]) -> None:
    told = figures()
    demo.judge(told, Path("/var/demo.json"))
    (told["planted"][0] if "found" in wrong else told["accounts"]["total"]).update(wrong)
    with pytest.raises(ClickwrightError, match=r"demo\.json"):
        demo.judge(told, Path("/var/demo.json"))


def test_figures_are_json() -> None:
    assert json.loads(json.dumps(figures())) == figures()


# Settings


def test_demonstration_chooses_what_the_environment_leaves_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_COPYWRITER_ADS", "3")
    monkeypatch.delenv("CLICKWRIGHT_SPARK_CLASS_ARCHIVE", raising=False)
    for name in SHORT.settings:  # restored after the test, though the demonstration sets them
        monkeypatch.setenv(name, os.environ.get(name, SHORT.settings[name]))
    settings = demo.choose_settings(SHORT)
    assert settings.source_names == ["movielens", "simulated"]
    assert settings.copywriter_ads == 3
    assert not settings.spark_class_archive


def test_other_sources_of_the_environment_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SHORT.settings:
        monkeypatch.setenv(name, SHORT.settings[name])
    monkeypatch.setenv("CLICKWRIGHT_SOURCES", "movielens")
    with pytest.raises(ConfigError, match="does not list simulated; in the environment; unset it"):
        demo.choose_settings(SHORT)


def test_plans_have_the_same_steps_and_the_full_one_more_days() -> None:
    assert [step.title for step in SHORT.steps] == [step.title for step in FULL.steps]
    assert all(step.seconds > 0 and step.why.endswith(".") for step in (*SHORT.steps, *FULL.steps))
    assert SHORT.days == FULL.days[:2]
    assert str(FULL.served_on) == "1998-04-23"


@pytest.mark.parametrize("screen", [{"DISPLAY": ":0"}, {"CI": "true", "DISPLAY": ":0"}, {}])
def test_no_browser_without_a_person_at_a_screen(screen: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "CI"):
        monkeypatch.delenv(name, raising=False)
    for name, value in screen.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("webbrowser.open", lambda _: pytest.fail("opened a browser"))
    monkeypatch.setattr("sys.stdout", io.StringIO())  # not a terminal
    assert not demo.open_page(Path("/var/demo.html"))


# Claims of the documentation


@pytest.mark.parametrize("page", ["README.md", "docs/sources.md"])
def test_documented_source_mapping_is_valid(page: str) -> None:
    (mapping,) = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert Source.model_validate(yaml.safe_load(mapping)).name == "shop"


def test_demo_page_lists_the_planted_defects() -> None:
    page = (ROOT / "docs" / "demo.md").read_text()
    told = [int(n) for n in re.findall(r"^\| .* \| (\d+) \| .*(?:reject|duplicate|event)", page, re.MULTILINE)]
    assert sorted(told) == sorted(LINES.values())
