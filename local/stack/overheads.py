"""Shows how the time of a day's run divides into Spark, PyTorch, Great Expectations and overhead.

``python -m local.stack.overheads 1998-04-20`` asks the running Airflow for the start and end of the day's tasks, and reads from
their logs when each library worked (`schemas.runtime.cli.log_duration`). The rest is start-up (Python, the JVM, imports),
reading and writing the lake's metadata, and waiting for the scheduler.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from local.stack.__main__ import Services
from local.stack.airflow_client import DAY_DAG, RECOMMEND_DAG, AirflowClient, Run
from schemas.runtime.cli import day, parser_of, run_command
from schemas.runtime.errors import NothingToDo
from schemas.runtime.settings import get_settings
from schemas.runtime.terminal import literal

WORKERS = ("spark", "pytorch", "great_expectations")
Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Step:
    """A task of a run: its time span, and the spans in which each library worked."""

    name: str
    span: Span
    worked: dict[str, list[Span]]


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
            lines = airflow.log_lines(run.dag_id, run.run_id, task.task_id, task.try_number)
            steps.append(Step(task.task_id, (began, began + timedelta(seconds=task.seconds)), spans_in(lines)))
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


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Show how the time of a day's run, and of the newest recommendations, was spent."""
    parser = parser_of(__doc__, "python -m local.stack.overheads 1998-04-23")
    parser.add_argument("arrived_on", type=day, help="arrival day, YYYY-MM-DD")
    asked: date = parser.parse_args(argv).arrived_on
    airflow, console = Services(get_settings()).airflow(), Console(stderr=True)
    runs = [run for run in airflow.runs(DAY_DAG, asked, asked) if run.state == "success"]
    if not runs:
        raise NothingToDo(f"{asked} has no successful run; in {DAY_DAG}; name another day")
    runs += [run for run in airflow.runs(RECOMMEND_DAG) if run.state == "success"][-1:]
    result = {}
    for run in runs:
        if steps := steps_of(airflow, run):
            result[f"{run.dag_id} {run.run_id}"] = show(f"{run.dag_id}, {run.run_id}", steps, console)
    return result


if __name__ == "__main__":
    raise SystemExit(run_command(main))
