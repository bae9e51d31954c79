"""Simulate an advertising world with planted truth: a landing zone for the jobs, and the truth about it in a separate folder.

``python -m jobs.simulate --events 100000 --days 7``
"""

import argparse
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from jobs.simulate import clicks
from jobs.simulate.runner import run_tasks, run_tasks_on_spark
from jobs.simulate.task import ITEMS_FOLDER, PARQUET_FOLDER, SOURCE, Plan, write_bytes, write_catalogue
from jobs.simulate.vocabulary import TOPICS
from jobs.simulate.world import COUNTRIES, DEVICES, SECOND_TOPIC, World
from schemas.outcomes import Defect
from schemas.runtime.cli import day, log, parser_of, run_command
from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import Settings, get_settings

EVENTS_A_USER = 60
EVENTS_A_TASK = {"json_lines": 200_000, "parquet": 1_000_000}
DIRT, LATE = 0.02, 0.01
LARGEST_RUNAWAY = 0.02  # of a day's events; in a smaller world one such user would dominate the day
ARGUMENTS, WORLD = "arguments.json", "world.json"


def plan_of(args: argparse.Namespace, settings: Settings) -> Plan:
    """The plan for the command's arguments; omitted arguments get defaults that depend on the size of the world.

    Args:
        args: the parsed arguments.
        settings: the settings.

    Raises:
        ConfigError: arguments contradict each other or the settings.
    """
    columns = args.format == "parquet"
    if columns and (args.dirt or args.late or args.runaway):
        raise ConfigError(
            "format parquet contains only genuine events, in order; with --dirt, --late or --runaway; leave these out, "
            "or use --format json_lines"
        )
    cap = settings.robot_events_per_day
    if args.runaway and args.runaway <= cap:
        raise ConfigError(
            f"a runaway user of {args.runaway} events is within the bot limit; CLICKWRIGHT_ROBOT_EVENTS_PER_DAY is {cap}; "
            "raise --runaway above it, or leave it out"
        )
    usual_runaway = cap + cap // 5 if cap * 1.2 <= LARGEST_RUNAWAY * args.events / args.days else 0
    world = World(
        seed=settings.seed if args.seed is None else args.seed,
        events=args.events,
        users=args.users or max(50, args.events // EVENTS_A_USER),  # a missing count is None, never 0
        items=args.items or min(max(300, args.events // 100), 1_000_000),
        first_day=args.first_day,
        days=args.days,
        dirt=0.0 if columns else _or(args.dirt, DIRT),
        late=0.0 if columns else _or(args.late, LATE),
        runaway=0 if columns else round(_or(args.runaway, usual_runaway)),
        interests=not args.no_interests,
    )
    per_cell = max(1, world.events // world.days // world.cells)
    cells = args.cells_a_task or min(max(1, EVENTS_A_TASK[args.format] // per_cell), world.cells)
    truth = None if args.truth == "none" else Path(args.truth or settings.var / "truth" / SOURCE).absolute()
    if args.choice_days > (args.days if truth else 0):
        raise ConfigError(
            f"choices of {args.choice_days} days cannot be written; with --days {args.days} --truth {args.truth}; "
            "leave --choice-days out, or name a folder for the truth and enough days"
        )
    landing = (args.landing or settings.landing_dir).absolute()
    return Plan(world, landing, truth, args.format, cells, args.choice_days)


def _or(given: float | None, usual: float) -> float:
    return usual if given is None else given


def claim(plan: Plan) -> None:
    """Check that the folders are empty or hold this very world from an earlier run, and record the arguments.

    Raises:
        ConfigError: the folders hold other files, or the truth would be inside the landing zone.
    """
    if plan.truth is not None and plan.truth.is_relative_to(plan.landing):
        raise ConfigError(
            f"the truth must be outside the landing zone; {plan.truth} is in it; name another folder with --truth"
        )
    written = {"format": plan.format, "cells_a_task": plan.cells_a_task, "choice_days": plan.choice_days}
    arguments = json.dumps({**plan.world.arguments, **written}, indent=1) + "\n"
    known = plan.truth / ARGUMENTS if plan.truth else None
    if known is None or not known.exists() or known.read_text(encoding="utf-8") != arguments:
        folders = [plan.landing / name for name in (SOURCE, ITEMS_FOLDER, PARQUET_FOLDER)]
        for folder in [*folders, *([plan.truth] if plan.truth else [])]:
            if folder.exists() and any(folder.iterdir()):
                raise ConfigError(f"the folder holds files of another world; {folder}; remove it, or name other folders")
    if known is not None:
        write_bytes(known, arguments.encode())


def truth_of(world: World, figures: dict[str, Any]) -> dict[str, Any]:
    """The truth about the world as a whole.

    Args:
        world: the world.
        figures: the sums over all tasks.
    """
    return {
        "arguments": world.arguments,
        "topics": [topic.name for topic in TOPICS],
        "click_model": {
            "formula": clicks.__doc__,
            "examination_power": clicks.EXAMINATION_POWER,
            "bias": clicks.BIAS,
            "interest_gain": clicks.INTEREST_GAIN,
            "second_topic": SECOND_TOPIC,
            "hour": clicks.HOUR_EFFECT.tolist(),
            "device": dict(zip(DEVICES, clicks.DEVICE_EFFECT.tolist(), strict=True)),
            "hours_from_utc": {country.code: country.offset for country in COUNTRIES},
        },
        "logging_policy": {"gain": clicks.POLICY_GAIN, "clip": clicks.POLICY_CLIP, "positions": clicks.SLATE},
        "kinds_of_dirt": {kind.value: kind.description for kind in Defect},
        **figures,
    }


def count(text: str) -> int:
    """A whole number from 1, for ``argparse``.

    >>> count("7")
    7
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def parser() -> argparse.ArgumentParser:
    made = parser_of((__doc__ or "").splitlines()[0], "python -m jobs.simulate --events 1000000 --days 14 --processes 2")
    made.add_argument("--events", type=count, required=True, help="total number of events, approximately")
    made.add_argument("--users", type=count, help="users (default: one for every 60 events)")
    made.add_argument("--items", type=count, help="products and ads on the last day (default: by the events)")
    made.add_argument("--first-day", type=day, default=date(2026, 1, 5), help="first arrival day (default: 2026-01-05)")
    made.add_argument("--days", type=count, default=7, help="arrival days (default: 7)")
    made.add_argument("--seed", type=int, help="random seed (default: CLICKWRIGHT_SEED)")
    made.add_argument("--dirt", type=float, help=f"defective lines, as a share of the genuine lines (default: {DIRT})")
    made.add_argument("--late", type=float, help=f"share of genuine lines that arrive 1 to 3 days late (default: {LATE})")
    made.add_argument("--runaway", type=int, help="events of a runaway user on the middle day (default: by the events)")
    made.add_argument("--no-interests", action="store_true", help="a world in which no user prefers any topic")
    made.add_argument("--landing", type=Path, help="landing zone (default: CLICKWRIGHT_LANDING)")
    made.add_argument("--truth", help="folder of the truth, or none (default: <CLICKWRIGHT_VAR>/truth/simulated)")
    made.add_argument(
        "--choice-days", type=count, default=0, help="write click probabilities for this many last days (default: none)"
    )
    made.add_argument(
        "--format", choices=("json_lines", "parquet"), default="json_lines", help="parquet: few columns, without defects"
    )
    made.add_argument("--cells-a-task", type=count, help="groups of 2,048 users that a task simulates (default: by the events)")
    made.add_argument("--processes", type=count, default=1, help="processes on this machine (default: 1)")
    made.add_argument("--on-spark", action="store_true", help="run one Spark task for each day and block of users instead")
    return made


def _on_spark(plan: Plan) -> dict[str, Any]:
    from schemas.spark.session import end_session, spark_session

    spark = spark_session("simulate")
    try:
        return run_tasks_on_spark(spark, plan)
    finally:
        end_session(spark)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Simulate a world."""
    args = parser().parse_args(argv)
    plan = plan_of(args, get_settings())
    claim(plan)
    catalogue_files = write_catalogue(plan)
    figures = _on_spark(plan) if args.on_spark else run_tasks(plan, args.processes)
    if plan.truth is not None:
        truth = json.dumps(truth_of(plan.world, figures), indent=1, sort_keys=True) + "\n"
        write_bytes(plan.truth / WORLD, truth.encode())
    log.info("simulated", landing=str(plan.landing), truth=str(plan.truth), tasks=len(plan.tasks()))
    counts = {name: figures.get(name, 0) for name in ("sessions", "lines", "files", "bytes")}
    events = sum(figures.get("events_by_type", {}).values())
    return {"events": events, **counts, "items": plan.world.items, "catalogue_files": catalogue_files}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
