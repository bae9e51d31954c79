"""A client of Airflow for programs: start runs, wait, approve, read why a task failed.

A failed connection is retried; an error answer is an exception.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx

from local.stack.airflow_rest import AirflowError, AirflowRest, check, path_part

GRACE = timedelta(hours=1)
"""An arrival day is from 01:00 UTC to the next 01:00."""

DAY_DAG = "behaviour_day"
LATE_DAG = "reprocess_day"
TRAIN_DAG = "train_recommender"
RECOMMEND_DAG = "recommend"
ASKED = frozenset({"awaiting_input", "deferred"})
SETTLES = timedelta(seconds=12)
FINISHED = frozenset({"success", "failed"})


@dataclass(frozen=True)
class Run:
    """A DAG run. ``interval_start`` is the start of its arrival day; ``partition`` is its partition key, if it has one.

    ``started_at`` changes when the run is cleared.
    """

    dag_id: str
    run_id: str
    state: str
    run_type: str
    logical_date: str | None
    interval_start: str | None
    conf: dict[str, Any]
    partition: str | None = None
    started_at: str | None = None
    ended_at: str | None = None

    @property
    def finished(self) -> bool:
        return self.state in FINISHED


@dataclass(frozen=True)
class Task:
    """The current state of a task of a run."""

    task_id: str
    state: str | None
    try_number: int
    seconds: float | None
    started_at: str | None = None


@dataclass(frozen=True)
class Approval:
    """A question that a person has to answer."""

    dag_id: str
    run_id: str
    task_id: str
    subject: str
    body: str
    options: list[str]


class AirflowClient(AirflowRest):
    """The actions of one user of Airflow."""

    # State

    def health(self) -> dict[str, str]:
        """The state of each component: ``healthy``, ``unhealthy`` or ``unknown``. Does not retry."""
        try:
            answer = self._http.get("/api/v2/monitor/health")
        except httpx.HTTPError as error:
            raise AirflowError(f"no Airflow at {self.base_url}: {error}") from None
        check(answer)
        parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
        return {part: (answer.json().get(part) or {}).get("status") or "unknown" for part in parts}

    def dag_ids(self) -> list[str]:
        return [dag["dag_id"] for dag in self._all("/dags", "dags")]

    def import_errors(self) -> dict[str, str]:
        """Tracebacks by file name, for DAG files that do not load."""
        return {e["filename"]: e["stack_trace"] for e in self._all("/importErrors", "import_errors")}

    def wait_for_dags(self, dag_ids: Iterable[str], timeout_s: float = 120) -> None:
        """Wait until the DAG processor has read these workflows.

        Args:
            dag_ids: the workflows.
            timeout_s: seconds to wait.
        """
        wanted = set(dag_ids)

        def look() -> bool:
            if broken := self.import_errors():
                raise AirflowError("; ".join(f"{f}: {t.strip().splitlines()[-1]}" for f, t in broken.items()))
            return wanted <= set(self.dag_ids())

        self._until(look, timeout_s, f"the workflows {sorted(wanted)} to be read")

    def create_pool(self, name: str, slots: int, *, include_deferred: bool, description: str = "") -> bool:
        """Create a pool; an existing pool is unchanged. Returns whether it was created.

        Args:
            name: the name of the pool.
            slots: the number of slots.
            include_deferred: whether deferred tasks keep their slot.
            description: the text in the Airflow UI.
        """
        pool: dict[str, Any] = {"name": name, "slots": slots, "description": description}
        pool["include_deferred"] = include_deferred
        return self._unless(409, "POST", "/pools", json=pool) is not None

    # Start

    def pause(self, dag_id: str, paused: bool = True) -> None:
        self._call("PATCH", f"/dags/{path_part(dag_id)}", json={"is_paused": paused})

    def is_paused(self, dag_id: str) -> bool:
        return bool(self._call("GET", f"/dags/{path_part(dag_id)}")["is_paused"])

    def unpause(self, dag_id: str) -> None:
        """Unpause a workflow. While it is paused, all its runs wait, including those of a backfill.

        A workflow with a timetable starts the run of its latest interval immediately.
        """
        self.pause(dag_id, paused=False)

    def trigger(self, dag_id: str, *, arrived_on: date | None = None, conf: dict[str, Any] | None = None) -> Run:
        """Start a run, or return the existing run of the arrival day.

        Args:
            dag_id: the workflow.
            arrived_on: the arrival day; None for a run without a date.
            conf: the parameters of the run.
        """
        body: dict[str, Any] = {"logical_date": None, "conf": conf or {}}
        if arrived_on is not None:
            if existing := self.runs(dag_id, arrived_on, arrived_on):
                return existing[0]
            start, end = arrival_interval(arrived_on)
            # The dates of a scheduled run of that day, so that a day has one run, however it was started.
            body |= {"logical_date": start, "data_interval_start": start, "data_interval_end": end}
        return _run(self._call("POST", f"/dags/{path_part(dag_id)}/dagRuns", json=body))

    def create_backfill(
        self,
        dag_id: str,
        first: date,
        last: date,
        *,
        reprocess: str = "none",
        max_active_runs: int = 2,
        conf: dict[str, Any] | None = None,
    ) -> int:
        """Start a backfill of arrival days. Returns its id.

        Args:
            dag_id: the workflow.
            first: the first day.
            last: the last day, included.
            reprocess: the days with a run that run again: ``none``, ``failed``, or ``completed`` (all).
            max_active_runs: the number of days that run at the same time.
            conf: the parameters of the runs.
        """
        body = {
            "dag_id": dag_id,
            "from_date": arrival_interval(first)[0],
            "to_date": arrival_interval(last)[0],
            "reprocess_behavior": reprocess,
            "max_active_runs": max_active_runs,
            "dag_run_conf": conf or {},
        }
        return int(self._call("POST", "/backfills", json=body)["id"])

    def clear(self, dag_id: str, run_id: str, *, only_failed: bool = False) -> None:
        """Run tasks of a run again.

        Args:
            dag_id: the workflow.
            run_id: the run.
            only_failed: whether to clear only failed tasks and their downstream tasks, instead of all.
        """
        path = f"/dags/{path_part(dag_id)}/dagRuns/{path_part(run_id)}/clear"
        self._call("POST", path, json={"dry_run": False, "only_failed": only_failed})

    # Progress

    def run(self, dag_id: str, run_id: str) -> Run:
        return _run(self._call("GET", f"/dags/{path_part(dag_id)}/dagRuns/{path_part(run_id)}"))

    def runs(self, dag_id: str, first: date | None = None, last: date | None = None) -> list[Run]:
        """The runs of a workflow, oldest first.

        Args:
            dag_id: the workflow.
            first: the first arrival day; None for no limit.
            last: the last arrival day, included; None for no limit.
        """
        params: dict[str, str] = {"order_by": "run_after"}
        if first is not None:
            params["logical_date_gte"] = arrival_interval(first)[0]
        if last is not None:
            params["logical_date_lte"] = arrival_interval(last)[0]
        return [_run(run) for run in self._all(f"/dags/{path_part(dag_id)}/dagRuns", "dag_runs", params)]

    def tasks(self, dag_id: str, run_id: str) -> list[Task]:
        found = self._all(f"/dags/{path_part(dag_id)}/dagRuns/{path_part(run_id)}/taskInstances", "task_instances")
        return [Task(t["task_id"], t["state"], t["try_number"], t["duration"], t["start_date"]) for t in found]

    def result(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """The return value of a task (XCom), or None."""
        path = (
            f"/dags/{path_part(dag_id)}/dagRuns/{path_part(run_id)}/taskInstances/{path_part(task_id)}/xcomEntries/return_value"
        )
        answer = self._unless(404, "GET", path, params={"stringify": "false"})
        return None if answer is None else answer["value"]

    def wait(
        self,
        dag_id: str,
        run_ids: Collection[str],
        *,
        timeout_s: float,
        progress: Callable[[list[Run], dict[str, list[Task]]], None] | None = None,
        poll_s: float = 2.0,
    ) -> list[Run]:
        """Wait until the runs have ended.

        Args:
            dag_id: the workflow.
            run_ids: the runs.
            timeout_s: seconds to wait.
            progress: is called at each poll with the runs, and with the tasks of running ones by run id.
            poll_s: seconds between polls.

        Raises:
            AirflowError: a run did not end in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            runs = [self.run(dag_id, run_id) for run_id in run_ids]
            if progress:
                progress(runs, {r.run_id: self.tasks(dag_id, r.run_id) for r in runs if r.state == "running"})
            going = [run.run_id for run in runs if not run.finished]
            if not going:
                return runs
            if time.monotonic() > deadline:
                raise AirflowError(f"{dag_id}: {', '.join(going)} did not end within {timeout_s:.0f} s")
            time.sleep(poll_s)

    def failures(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Error messages by task, for tasks that failed or wait for a retry."""
        failed = [task for task in self.tasks(dag_id, run_id) if task.state in {"failed", "up_for_retry"}]
        return {task.task_id: self.error_line(dag_id, run_id, task) for task in failed}

    def log_lines(self, dag_id: str, run_id: str, task_id: str, try_number: int) -> list[dict[str, Any]]:
        """The log of one try of a task, as structured lines with an ``event`` each.

        Args:
            dag_id: the workflow.
            run_id: the run.
            task_id: the task.
            try_number: the number of the try, from 1.
        """
        path = f"/dags/{path_part(dag_id)}/dagRuns/{path_part(run_id)}/taskInstances/{path_part(task_id)}/logs/{try_number}"
        content = self._call("GET", path, params={"full_content": "true"}).get("content") or []
        return [line if isinstance(line, dict) else {"event": str(line)} for line in content]

    def error_line(self, dag_id: str, run_id: str, task: Task) -> str:
        """Why a task failed: the message of its exception, or its last log line.

        Args:
            dag_id: the workflow.
            run_id: the run.
            task: the task; its newest try is read.
        """
        lines = self.log_lines(dag_id, run_id, task.task_id, task.try_number)
        for line in reversed(lines):
            for raised in line.get("error_detail") or []:
                if value := str(raised.get("exc_value") or "").strip():
                    return value.splitlines()[0]
        said = (str(line.get("event") or "").strip() for line in reversed(lines) if line.get("level"))
        nothing = "it ended without a log line; see the scheduler's log"
        return next((text for text in said if text and not text.startswith("::")), nothing)

    # Approvals

    def approvals(self, dag_id: str, run_id: str = "~") -> list[Approval]:
        """The open questions that are at least 12 s old.

        If an answer arrives before Airflow's scheduler knows that the task is deferred, the task asks again, or fails.

        Args:
            dag_id: the workflow.
            run_id: the run; ``~`` for all runs.
        """
        settled = datetime.now(UTC) - SETTLES
        path = f"/dags/{path_part(dag_id)}/dagRuns/{path_part(run_id)}/hitlDetails"
        return [
            Approval(
                dag_id=detail["task_instance"]["dag_id"],
                run_id=detail["task_instance"]["dag_run_id"],
                task_id=detail["task_instance"]["task_id"],
                subject=detail["subject"],
                body=detail["body"] or "",
                options=detail["options"],
            )
            for detail in self._all(path, "hitl_details", {"response_received": "false"})
            if detail["task_instance"]["state"] in ASKED and datetime.fromisoformat(detail["created_at"]) < settled
        ]

    def answer(self, approval: Approval, option: str) -> None:
        """Answer a question, as this client's user."""
        run = f"/dags/{path_part(approval.dag_id)}/dagRuns/{path_part(approval.run_id)}"
        path = f"{run}/taskInstances/{path_part(approval.task_id)}/-1/hitlDetails"
        self._call("PATCH", path, json={"chosen_options": [option], "params_input": {}})

    def _until(self, look: Callable[[], bool], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not look():
            if time.monotonic() > deadline:
                raise AirflowError(f"timed out after {timeout_s:.0f} s waiting for {what}")
            time.sleep(1)


def arrival_interval(arrived_on: date) -> tuple[str, str]:
    """The data interval of an arrival day: start and end, as ISO 8601 in UTC.

    >>> arrival_interval(date(1998, 4, 16))
    ('1998-04-16T01:00:00+00:00', '1998-04-17T01:00:00+00:00')
    """
    start = datetime(arrived_on.year, arrived_on.month, arrived_on.day, tzinfo=UTC) + GRACE
    return start.isoformat(), (start + timedelta(days=1)).isoformat()


def _run(found: dict[str, Any]) -> Run:
    return Run(
        dag_id=found["dag_id"],
        run_id=found["dag_run_id"],
        state=found["state"],
        run_type=found["run_type"],
        logical_date=found["logical_date"],
        interval_start=found["data_interval_start"],
        conf=found["conf"] or {},
        partition=found["partition_key"],
        started_at=found["start_date"],
        ended_at=found["end_date"],
    )


__all__: Sequence[str] = ["AirflowClient", "AirflowError", "Approval", "Run", "Task", "arrival_interval"]
