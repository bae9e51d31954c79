"""Shows how the time of a day's run divides into Spark, PyTorch, Great Expectations, Iceberg and overhead.

``python -m local.stack.overheads 1998-04-20`` asks the running Airflow for the start and end of the day's tasks, and reads from
their logs when each library worked, and its processor seconds (`schemas.runtime.cli.log_duration`). The rest is start-up
(Python, the JVM, imports), reading the lake's metadata, and waiting for the scheduler.

``--again`` processes the day once more, and measures the processor seconds of all services and tasks meanwhile
(`local.stack.meter`): the whole cost of the day, beside the work of the libraries. ``--idle 60`` measures the services while
nothing runs.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from local.stack.__main__ import Services
from local.stack.airflow_client import DAY_DAG, RECOMMEND_DAG, AirflowClient, Run
from local.stack.meter import Meter
from schemas.runtime.cli import day, parser_of, run_command
from schemas.runtime.errors import NothingToDo
from schemas.runtime.settings import get_settings
from schemas.runtime.terminal import literal

WORKERS = ("spark", "pytorch", "great_expectations", "iceberg")
PATIENCE_S = 3600.0
Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Step:
    """A task of a run: its time span, and the spans in which each library worked."""

    name: str
    span: Span
    worked: dict[str, list[Span]]
    work: "Work | None" = None


def spans_in(lines: Iterable[dict[str, Any]]) -> dict[str, list[Span]]:
    """The spans in which each library worked, from the lines of a task's log.

    >>> line = {"event": "timestamp=2026-01-05T01:00:09Z event=worked on=spark seconds=2"}
    >>> [str(moment.time()) for moment in spans_in([line])["spark"][0]]
    ['01:00:07', '01:00:09']
    """
    found: dict[str, list[Span]] = {}
    for line in lines:
        words = dict(part.split("=", 1) for part in str(line.get("event", "")).split() if "=" in part)
        if words.get("event") == "worked" and "seconds" in words:
            ended = datetime.fromisoformat(words["timestamp"])
            found.setdefault(words["on"], []).append((ended - timedelta(seconds=float(words["seconds"])), ended))
    return found


@dataclass(frozen=True)
class Work:
    """The processor seconds that libraries worked: in commands, and the first and last ones of each use of a Java process."""

    own: float
    java: tuple[tuple[str, float, float], ...] = ()


def work_in(lines: Iterable[dict[str, Any]]) -> Work:
    """The work in a task, from the lines of its log.

    >>> work_in([{"event": "event=worked on=spark processor_seconds=0.5 java=7 java_from=10 java_to=13.5"}])
    Work(own=0.5, java=(('7', 10.0, 13.5),))
    """
    words = [dict(part.split("=", 1) for part in str(line.get("event", "")).split() if "=" in part) for line in lines]
    worked = [found for found in words if found.get("event") == "worked"]
    java = [(found["java"], float(found["java_from"]), float(found["java_to"])) for found in worked if "java" in found]
    return Work(sum(float(found.get("processor_seconds", 0)) for found in worked), tuple(java))


def whole_work(parts: Iterable[Work]) -> float:
    """The processor seconds of the work in several tasks; those of a Java process that tasks used at once count once.

    >>> whole_work([Work(0.5, (("7", 10, 13),)), Work(1, (("7", 12, 14),))])
    5.5

    Args:
        parts: the work of each task.
    """
    own, common, until = 0.0, 0.0, ("", 0.0)
    uses: list[tuple[str, float, float]] = []
    for part in parts:
        own += part.own
        uses += part.java
    for process, began, ended in sorted(uses):
        seen = until[1] if process == until[0] else 0.0
        common += max(0.0, ended - max(began, seen))
        until = (process, max(ended, seen))
    return own + common


def seconds(spans: Iterable[Span]) -> float:
    """The total seconds of the spans; overlaps count once.

    >>> at = [datetime(2026, 1, 1, 0, 0, s, tzinfo=UTC) for s in range(10)]
    >>> seconds([(at[0], at[3]), (at[2], at[5]), (at[7], at[8])])
    6.0
    """
    total, until = timedelta(0), datetime.min.replace(tzinfo=UTC)
    for began, ended in sorted(spans):
        total += max(timedelta(0), ended - max(began, until))
        until = max(until, ended)
    return total.total_seconds()


def steps_of(airflow: AirflowClient, run: Run) -> list[Step]:
    """The successful tasks of a run, in the order of their start.

    Args:
        airflow: the client.
        run: the run.
    """
    steps = []
    for task in airflow.tasks(run.dag_id, run.run_id):
        if task.started_at and task.seconds and task.state == "success":
            began = datetime.fromisoformat(task.started_at)
            lines = list(airflow.log_lines(run.dag_id, run.run_id, task.task_id, task.try_number))
            span = (began, began + timedelta(seconds=task.seconds))
            steps.append(Step(task.task_id, span, spans_in(lines), work_in(lines)))
    return sorted(steps, key=lambda step: step.span)


def shares(steps: Sequence[Step]) -> dict[str, float]:
    """Wall-clock seconds of the run, the tasks, each library, Spark or PyTorch (``computing``), and any (``working``)."""
    ended = max(step.span[1] for step in steps)
    whole = (ended - steps[0].span[0]).total_seconds()
    by = {worker: seconds(span for step in steps for span in step.worked.get(worker, ())) for worker in WORKERS}
    computing = seconds(span for step in steps for worker in ("spark", "pytorch") for span in step.worked.get(worker, ()))
    working = seconds(span for step in steps for spans in step.worked.values() for span in spans)
    tasks = seconds(step.span for step in steps)
    return {"whole": whole, "tasks": tasks, **by, "computing": computing, "working": working}


def show(title: str, steps: Sequence[Step], console: Console) -> dict[str, float]:
    """Print a run's steps and the shares of its time, and return the shares.

    Args:
        title: the title of the table.
        steps: the run's steps, in the order of their start.
        console: receives the table.
    """
    table = Table(
        title=literal(title), box=None, header_style="dim", title_justify="left", title_style="bold", padding=(0, 2, 0, 0)
    )
    table.add_column("step")
    for column in ("start", "seconds", *WORKERS, "other"):
        table.add_column(column.replace("_", " "), justify="right")
    for step in steps:
        lasted = (step.span[1] - step.span[0]).total_seconds()
        by = [seconds(step.worked.get(worker, ())) for worker in WORKERS]
        figures = [(step.span[0] - steps[0].span[0]).total_seconds(), lasted, *by, lasted - sum(by)]
        table.add_row(literal(step.name), *(f"{figure:.1f}" if figure else "" for figure in figures))
    console.print(table)
    found = shares(steps)
    whole = found["whole"]
    console.print(
        f"  {whole:.0f} s in total. Spark or PyTorch worked for {found['computing'] / whole:.0%} of it, "
        f"with Great Expectations {found['working'] / whole:.0%}; "
        f"{1 - found['tasks'] / whole:.0%} passed between tasks, in the scheduler.\n"
    )
    return found


def measure(services: Services, airflow: AirflowClient, run: Run) -> dict[str, float]:
    """Run a day once more, and measure the processor seconds of all services and tasks.

    Args:
        services: the services.
        airflow: their client.
        run: a run of the day that has ended.

    Returns:
        The processor seconds of the whole and of the libraries' work, their ratio, the wall-clock seconds, and the parts.
    """
    began = time.monotonic()
    with Meter(services.heads) as meter:
        airflow.clear(run.dag_id, run.run_id)
        airflow.wait(run.dag_id, [run.run_id], timeout_s=PATIENCE_S)
    elapsed = time.monotonic() - began
    work = whole_work(step.work for step in steps_of(airflow, run) if step.work is not None)
    parts = {f"of {name}": round(value, 1) for name, value in sorted(meter.seconds.items())}
    whole = {"processor_seconds": round(meter.total, 1), "work": round(work, 1), "ratio": round(meter.total / work, 2)}
    return {**whole, "seconds": round(elapsed, 1), **parts}


def idle(services: Services, asked_s: float) -> dict[str, float]:
    """The processor seconds a minute of the services while nothing runs.

    Args:
        services: the services.
        asked_s: seconds to measure.
    """
    with Meter(services.heads) as meter:
        time.sleep(asked_s)
    return {name: round(value * 60 / asked_s, 2) for name, value in sorted({**meter.seconds, "all": meter.total}.items())}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Show how the time of a day's run, and of the newest recommendations, was spent."""
    parser = parser_of(__doc__, "python -m local.stack.overheads 1998-04-23")
    parser.add_argument("arrived_on", type=day, nargs="?", help="arrival day, YYYY-MM-DD")
    parser.add_argument("--again", action="store_true", help="process the day once more, and measure its processor seconds")
    parser.add_argument("--idle", type=float, metavar="SECONDS", help="measure the services for so long, while nothing runs")
    args = parser.parse_args(argv)
    services = Services(get_settings())
    if args.idle:
        return {"processor_seconds_a_minute": idle(services, args.idle)}
    if args.arrived_on is None:
        parser.error("name an arrival day, or --idle SECONDS")
    asked: date = args.arrived_on
    airflow, console = services.airflow(), Console(stderr=True)
    runs = [run for run in airflow.runs(DAY_DAG, asked, asked) if run.state == "success"]
    if not runs:
        raise NothingToDo(f"{asked} has no successful run; in {DAY_DAG}; name another day")
    if args.again:
        return measure(services, airflow, runs[-1])
    runs += [run for run in airflow.runs(RECOMMEND_DAG) if run.state == "success"][-1:]
    result = {}
    for run in runs:
        if steps := steps_of(airflow, run):
            result[f"{run.dag_id} {run.run_id}"] = show(f"{run.dag_id}, {run.run_id}", steps, console)
    return result


if __name__ == "__main__":
    raise SystemExit(run_command(main))
