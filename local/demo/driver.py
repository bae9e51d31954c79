"""Drives Airflow for the demonstration as a person would in its UI: start, watch, approve, read errors.

Each step first looks at the existing runs. A successful run is left alone, a running one is waited for, a failed one is
cleared from its failed task, and only missing runs are started.
"""

import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from local.stack.airflow_client import DAY_DAG, LATE_DAG, RECOMMEND_DAG, TRAIN_DAG, AirflowClient, Run, Task
from schemas.runtime.errors import ClickwrightError

DONE = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
AT_WORK = ("running", "deferred", "awaiting_input", "up_for_retry", "queued", "scheduled")
HOUR_S = 3600.0
FOLLOWS_WITHIN_S = 60.0
TASKS = {DAY_DAG: 14, LATE_DAG: 9, TRAIN_DAG: 9, RECOMMEND_DAG: 9}
"""The number of tasks of a run, until Airflow reports it."""


class Watch:
    """Shows the running workflows and tasks: a progress bar on a terminal, otherwise a line for each change."""

    def __init__(self, console: Console, title: str, runs: int, tasks_a_run: int) -> None:
        self.console = console
        self.title = title
        self.tasks_a_run = tasks_a_run
        self.said = ""
        self.bar = Progress(
            SpinnerColumn(),
            TextColumn("[bold]{task.fields[title]}"),
            BarColumn(bar_width=28),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            disable=not console.is_terminal,
        )
        self.row: TaskID = self.bar.add_task("waiting", total=runs * tasks_a_run, title=title)

    def __call__(self, runs: Sequence[Run], tasks: dict[str, list[Task]]) -> None:
        """Show the state of the runs, and of the tasks of unfinished runs."""
        self.tasks_a_run = max([self.tasks_a_run, *(len(found) for found in tasks.values())])
        finished = sum(run.finished for run in runs)
        done = finished * self.tasks_a_run + sum(task.state in DONE for found in tasks.values() for task in found)
        steps = [f"{name(run)}  {log_duration(tasks[run.run_id])}" for run in runs if run.run_id in tasks]
        what = ", ".join(steps) or ("done" if finished == len(runs) else "waiting for the scheduler")
        self.bar.update(self.row, completed=done, total=len(runs) * self.tasks_a_run, description=what)
        if self.bar.disable and what != self.said:
            self.said = what
            self.console.print(f"  {self.title}: {finished}/{len(runs)} runs done; {what}", highlight=False)


def name(run: Run) -> str:
    """The name of a run for display: its day, or its workflow."""
    if run.partition:
        return f"{run.partition} again"
    return run.interval_start[:10] if run.dag_id == DAY_DAG and run.interval_start else run.dag_id


def log_duration(tasks: Sequence[Task]) -> str:
    """The running tasks, or else the first waiting one with its state.

    >>> log_duration([Task("clean.build", "running", 1, None), Task("items.build", "running", 1, None)])
    'clean.build + items.build'
    >>> log_duration([Task("clean.audit", "queued", 1, None)])
    'clean.audit (queued)'
    """
    for state in AT_WORK:
        found = sorted(task.task_id for task in tasks if task.state == state)
        if found:
            return " + ".join(found) if state == "running" else f"{found[0]} ({state})"
    return "starting"


class Driver:
    """Starts runs and waits until they have ended.

    Args:
        airflow: the client.
        logs: Airflow's folder of task logs; error messages point to it.
        console: receives the progress.
    """

    def __init__(self, airflow: AirflowClient, logs: Path, console: Console) -> None:
        self.airflow = airflow
        self.logs = logs
        self.console = console

    def history(self, arrived_on: date, since: date) -> Run:
        """Load an arrival day as history.

        Args:
            arrived_on: the arrival day.
            since: the first date of the history.
        """
        self.airflow.unpause(DAY_DAG)
        found = self.airflow.runs(DAY_DAG, arrived_on, arrived_on)
        if not found:
            conf = {"history_since": since.isoformat()}
            found = [self.airflow.trigger(DAY_DAG, arrived_on=arrived_on, conf=conf)]
        return self._finish("history", found[-1:], HOUR_S)[0]

    def backfill(self, first: date, last: date, at_once: int = 3) -> list[Run]:
        """Run a range of arrival days.

        Args:
            first: the first day.
            last: the last day, included.
            at_once: the number of days that run at the same time.
        """
        days = (last - first).days + 1
        if len(self.airflow.runs(DAY_DAG, first, last)) < days:
            self.airflow.create_backfill(DAY_DAG, first, last, reprocess="none", max_active_runs=at_once)
        runs = self.airflow.runs(DAY_DAG, first, last)
        if len(runs) != days:
            raise ClickwrightError(
                f"Airflow created {len(runs)} runs for {days} days; {DAY_DAG} {first} to {last}; "
                "see Browse > Backfills in its UI, then run `make demo` again"
            )
        return self._finish("daily runs", runs, 2 * HOUR_S)

    def late_days(self, late: Callable[[], Sequence[date]]) -> list[Run]:
        """Wait until the days with late events are processed again, by runs that Airflow starts itself.

        Args:
            late: returns the days that are still out of date.

        Returns:
            The runs that processed them.
        """
        patience = time.monotonic() + FOLLOWS_WITHIN_S
        while True:
            runs = self.airflow.runs(LATE_DAG)
            if any(run.state != "success" for run in runs):
                self._finish("late days", runs, HOUR_S)
                continue
            if not (waiting := late()):
                return runs
            if time.monotonic() > patience:
                raise ClickwrightError(
                    f"Airflow has started no run for the late days {', '.join(map(str, waiting))}; workflow {LATE_DAG}; "
                    "see its asset late_days in the UI, then run `make demo` again"
                )
            time.sleep(1)

    def train(self, until: date) -> tuple[Run, bool]:
        """Train on the events before ``until`` and approve the challenger through the API.

        Returns:
            The run, and whether it ran now.
        """
        self.airflow.unpause(TRAIN_DAG)
        self.airflow.unpause(RECOMMEND_DAG)  # it starts when this run promotes a champion
        conf = {"train_until": until.isoformat()}
        found = [run for run in self.airflow.runs(TRAIN_DAG) if run.conf.get("train_until") == conf["train_until"]]
        if found and found[-1].state == "success":
            return found[-1], False
        run = found[-1] if found else self.airflow.trigger(TRAIN_DAG, conf=conf)
        return self._finish("training", [run], 4 * HOUR_S, also=lambda: self._approve(run.run_id))[0], True

    def recommend(self, is_done: Callable[[], bool], follows: bool) -> Run | None:
        """Wait for the champion's recommendations and ad copy.

        Args:
            is_done: returns whether the tables hold them.
            follows: whether a champion was just promoted, so that Airflow starts the run itself.

        Returns:
            The newest run of the workflow.
        """
        patience = time.monotonic() + (FOLLOWS_WITHIN_S if follows else 0)
        while True:
            runs = self.airflow.runs(RECOMMEND_DAG)
            going = [run for run in runs if not run.finished]
            if going:
                return self._finish("recommending", going[-1:], 2 * HOUR_S)[0]
            if is_done():
                return runs[-1] if runs else None
            if runs and runs[-1].state == "failed":
                return self._finish("recommending", runs[-1:], 2 * HOUR_S)[0]
            if time.monotonic() > patience:
                return self._finish("recommending", [self.airflow.trigger(RECOMMEND_DAG)], 2 * HOUR_S)[0]
            time.sleep(1)

    def _approve(self, run_id: str) -> None:
        for approval in self.airflow.approvals(TRAIN_DAG, run_id):
            self.airflow.answer(approval, "Approve")
            self.console.print(f"  approved through the API: {approval.subject}", highlight=False)

    def _finish(self, title: str, runs: Sequence[Run], timeout_s: float, also: Callable[[], None] | None = None) -> list[Run]:
        """Wait until the runs have succeeded; clear the failed tasks of runs that had failed before.

        Raises:
            ClickwrightError: a task failed; the message quotes its error and names its log.
        """
        if all(run.state == "success" for run in runs):
            return list(runs)
        for run in runs:
            if run.state == "failed":
                self.airflow.clear(run.dag_id, run.run_id, only_failed=True)
        watch = Watch(self.console, title, len(runs), TASKS[runs[0].dag_id])

        def progress(now: list[Run], tasks: dict[str, list[Task]]) -> None:
            watch(now, tasks)
            if also is not None:
                also()

        ids = [run.run_id for run in runs]
        with watch.bar:
            ended = self.airflow.wait(runs[0].dag_id, ids, timeout_s=timeout_s, progress=progress)
        for run in ended:
            if run.state != "success":
                raise ClickwrightError(self.explain(run))
        return ended

    def explain(self, run: Run) -> str:
        """Why a run failed: the first failed task, its error message and its log file."""
        failures = self.airflow.failures(run.dag_id, run.run_id)
        if not failures:
            return f"the run {run.run_id} of {run.dag_id} {run.state}; no task reports an error; see the Airflow UI"
        task, said = next(iter(failures.items()))
        folder = self.logs / f"dag_id={run.dag_id}" / f"run_id={run.run_id}" / f"task_id={task}"
        attempts = sorted(folder.glob("attempt=*.log"), key=lambda path: path.stat().st_mtime)
        return (
            f"{run.dag_id} ({name(run)}): task {task} failed: {said.removeprefix('error: ')}; "
            f"its log is {attempts[-1] if attempts else folder}; then run `make demo` again to continue from there"
        )
