"""Drives Airflow for the demonstration as a person would in its UI: start, watch, approve, read errors.

Each step first looks at the existing runs. A successful run is left alone, a running one is waited for, a failed one is
cleared from its failed task, and only missing runs are started.
"""

import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from local.demo.progress import Overview
from local.stack.airflow_client import DAY_DAG, LATE_DAG, RECOMMEND_DAG, TRAIN_DAG, AirflowClient, Run, Task
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.terminal import literal

DONE = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
AT_WORK = ("running", "deferred", "awaiting_input", "up_for_retry", "queued", "scheduled")
HOUR_S = 3600.0
FOLLOWS_WITHIN_S = 60.0
Seen = Callable[[Sequence[Run]], None]
TASKS = {DAY_DAG: 14, LATE_DAG: 9, TRAIN_DAG: 9, RECOMMEND_DAG: 9}
"""The number of tasks of a run, until Airflow reports it."""


class Watch:
    """Shows the running workflows and tasks of a step."""

    def __init__(self, overview: Overview, runs: int, tasks_a_run: int) -> None:
        self.overview = overview
        self.runs = runs
        self.tasks_a_run = tasks_a_run

    def __call__(self, runs: Sequence[Run], tasks: dict[str, list[Task]]) -> None:
        """Show the state of the runs, and of the tasks of unfinished runs."""
        self.tasks_a_run = max([self.tasks_a_run, *(len(found) for found in tasks.values())])
        finished = sum(run.finished for run in runs)
        done = finished * self.tasks_a_run + sum(task.state in DONE for found in tasks.values() for task in found)
        steps = [f"{name(run)}  {at_work(tasks[run.run_id])}" for run in runs if run.run_id in tasks]
        what = ", ".join(steps) or ("done" if finished == len(runs) else "waiting for the scheduler")
        of_runs = f"{finished} of {len(runs)} runs done; " if len(runs) > 1 else ""
        self.overview.now(f"{of_runs}{what}", done / (self.runs * self.tasks_a_run))


def name(run: Run) -> str:
    """The name of a run for display: its day, or its workflow."""
    if run.partition:
        return f"{run.partition} again"
    return run.interval_start[:10] if run.dag_id == DAY_DAG and run.interval_start else run.dag_id


def at_work(tasks: Sequence[Task]) -> str:
    """The running tasks, or else the first waiting one with its state.

    >>> at_work([Task("clean.build", "running", 1, None), Task("items.build", "running", 1, None)])
    'clean.build + items.build'
    >>> at_work([Task("clean.audit", "queued", 1, None)])
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
        overview: receives the progress.
        again: the command that continues after an error.
    """

    def __init__(self, airflow: AirflowClient, logs: Path, overview: Overview, again: str = "make demo") -> None:
        self.airflow = airflow
        self.logs = logs
        self.overview = overview
        self.again = again

    def history(self, arrived_on: date, since: date, seen: Seen | None = None) -> Run:
        """Load an arrival day as history.

        Args:
            arrived_on: the arrival day.
            since: the first date of the history.
            seen: is called at each look with the run.
        """
        self.airflow.unpause(DAY_DAG)
        found = self.airflow.runs(DAY_DAG, arrived_on, arrived_on)
        if not found:
            conf = {"history_since": since.isoformat()}
            found = [self.airflow.trigger(DAY_DAG, arrived_on=arrived_on, conf=conf)]
        return self._finish(found[-1:], HOUR_S, seen)[0]

    def backfill(self, first: date, last: date, at_once: int = 3, seen: Seen | None = None) -> list[Run]:
        """Run a range of arrival days.

        Args:
            first: the first day.
            last: the last day, included.
            at_once: the number of days that run at the same time.
            seen: is called at each look with the runs.
        """
        days = (last - first).days + 1
        if len(self.airflow.runs(DAY_DAG, first, last)) < days:
            self.airflow.create_backfill(DAY_DAG, first, last, reprocess="none", max_active_runs=at_once)
        runs = self.airflow.runs(DAY_DAG, first, last)
        if len(runs) != days:
            raise ClickwrightError(
                f"Airflow created {len(runs)} runs for {days} days; {DAY_DAG} {first} to {last}; "
                f"see Browse > Backfills in its UI, then run `{self.again}` again"
            )
        return self._finish(runs, 2 * HOUR_S, seen)

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
                self._finish(runs, HOUR_S)
                continue
            if not (waiting := late()):
                return runs
            if time.monotonic() > patience:
                raise ClickwrightError(
                    f"Airflow has started no run for the late days {', '.join(map(str, waiting))}; workflow {LATE_DAG}; "
                    f"see its asset late_days in the UI, then run `{self.again}` again"
                )
            time.sleep(1)

    def train(self, until: date, effort: str = "full", has_champion: Callable[[], bool] = lambda: False) -> tuple[Run, bool]:
        """Train on the events before ``until`` and approve the challenger through the API.

        A gate that refuses the challenger of a later training does its work: the champion stays, and the run is returned.

        Args:
            until: the first day of the test.
            effort: how thoroughly recipes are tuned.
            has_champion: returns whether a champion exists.

        Returns:
            The run, and whether it ran now.
        """
        conf = {"train_until": until.isoformat(), "effort": effort}
        found = [run for run in self.airflow.runs(TRAIN_DAG) if conf.items() <= run.conf.items()]
        if found and (found[-1].state == "success" or self._kept_champion(found[-1], has_champion)):
            return found[-1], False
        run = found[-1] if found else self.airflow.trigger(TRAIN_DAG, conf=conf)
        self.airflow.unpause(TRAIN_DAG)  # after the start of this run, so that it comes before the newest scheduled one
        self.airflow.unpause(RECOMMEND_DAG)  # it starts when this run promotes a champion
        try:
            return self._finish([run], 4 * HOUR_S, lambda _: self._approve(run.run_id))[0], True
        except ClickwrightError:
            ended = self.airflow.run(TRAIN_DAG, run.run_id)
            if not self._kept_champion(ended, has_champion):
                raise
            return ended, True

    def _kept_champion(self, run: Run, has_champion: Callable[[], bool]) -> bool:
        """Whether a run failed because the gate preferred the present champion; says so."""
        failures = self.airflow.failures(run.dag_id, run.run_id) if run.state == "failed" else {}
        if list(failures) != ["gate"] or not has_champion():
            return False
        said = failures["gate"].removeprefix("error: ")
        self.overview.console.print(literal(f"  the gate kept the present champion: {said}"))
        return True

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
                return self._finish(going[-1:], 2 * HOUR_S)[0]
            if is_done():
                return runs[-1] if runs else None
            if runs and runs[-1].state == "failed":
                return self._finish(runs[-1:], 2 * HOUR_S)[0]
            if time.monotonic() > patience:
                return self._finish([self.airflow.trigger(RECOMMEND_DAG)], 2 * HOUR_S)[0]
            time.sleep(1)

    def _approve(self, run_id: str) -> None:
        for approval in self.airflow.approvals(TRAIN_DAG, run_id):
            self.airflow.answer(approval, "Approve")
            self.overview.console.print(literal(f"  approved through the API: {approval.subject}"))

    def _finish(self, runs: Sequence[Run], timeout_s: float, seen: Seen | None = None) -> list[Run]:
        """Wait until the runs have succeeded; clear the failed tasks of runs that had failed before.

        Raises:
            ClickwrightError: a task failed; the message quotes its error and names its log.
        """
        if all(run.state == "success" for run in runs):
            return list(runs)
        for run in runs:
            if run.state == "failed":
                failed = self.airflow.failures(run.dag_id, run.run_id)
                # An audit would judge the same staged rows again: its table has to be built again, after the cause is mended.
                refused = any(task.endswith(".audit") for task in failed)
                self.airflow.clear(run.dag_id, run.run_id, only_failed=not refused)
        watch = Watch(self.overview, len(runs), TASKS[runs[0].dag_id])

        def progress(now: list[Run], tasks: dict[str, list[Task]]) -> None:
            watch(now, tasks)
            if seen is not None:
                seen(now)

        ids = [run.run_id for run in runs]
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
            f"its log is {attempts[-1] if attempts else folder}; then run `{self.again}` again to continue from there"
        )
