"""The demonstration: the whole flow on MovieLens 100K and a small simulated shop, through Airflow's real scheduler.

It writes the landing zone, starts Airflow and MLflow, loads the history, backfills some days, trains and promotes a
model, recommends, and sums up: on the terminal, in ``var/demo.json`` and in ``var/demo.html``. Finished steps are not
repeated. ``make demo`` runs two days and tunes quickly, ``make demo-full`` runs seven days and tunes thoroughly.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import webbrowser
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from threading import Thread
from typing import Any

import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.padding import Padding

from local.demo import plan
from local.demo.driver import Driver
from local.demo.first_looks import FirstTables, show_checks
from local.demo.mlflow_client import Tracking
from local.demo.plan import FULL, SHORT, SOURCES, Plan
from local.demo.progress import Lines, Overview
from local.demo.report import write_report
from local.demo.results import gather, truths
from local.demo.terminal_summary import show
from local.movielens import dataset
from local.stack.__main__ import Services
from local.stack.airflow_client import LATE_DAG, AirflowError, Run
from local.stack.commands import last_error, result, run, start
from schemas.contract import table_names
from schemas.lake.lake import open_lake
from schemas.runtime.cli import explain_os_error, one_line, parser_of
from schemas.runtime.errors import ClickwrightError, ConfigError
from schemas.runtime.local_files import write_atomically
from schemas.runtime.mlflow_rest import local_credentials
from schemas.runtime.settings import Settings, get_settings
from schemas.runtime.terminal import printable

INTERRUPTED = 130
LATER = 10
"""Niceness of work that only has to be ready at the end."""


class Demo:
    """One pass over the steps of the demonstration, with the duration of each."""

    def __init__(self, settings: Settings, console: Console, chosen: Plan) -> None:
        self.settings = settings
        self.console = console
        self.plan = chosen
        self.overview = Overview(console, chosen.steps)
        self.services = Services(settings)
        self.runs: list[Run] = []
        self.models: subprocess.Popen[str] | None = None

    def run(self) -> dict[str, Any]:
        """Run the unfinished steps, and return all figures."""
        step = self.overview.step
        with step(plan.LANDING):
            self._landing_zone()
        lake = open_lake(self.settings)
        before = {table: lake.snapshot(table) for table in table_names()}
        with step(plan.SERVICES):
            self._services()
        airflow = self.services.airflow()
        tracking = Tracking(self.services.mlflow_url, self.settings.registered_model, local_credentials(self.settings))
        driver = Driver(airflow, self.services.airflow_home / "logs", self.overview, self.plan.command)
        self.models = self._preparing_models()  # in parallel; the ads need it first
        self._days(driver, FirstTables(lake, self.console))
        with step(plan.TRAINING):
            trained, now = driver.train(dataset.FIRST_DAY, self.plan.effort, lambda: tracking.champion() is not None)
            self.runs.append(trained)
        with step(plan.ADS):
            self._prepared(self.models)
            recommended = driver.recommend(lambda: self._served(tracking), follows=now)
            self.runs += [recommended] if recommended else []
        if not self._served(tracking):
            raise ClickwrightError(
                f"the workflow recommend ended without recommendations of the champion for {self.plan.served_on}; "
                f"in {self.settings.lake_dir}; see the log of its task `due`, then run `{self.plan.command}` again"
            )
        with step(plan.FIGURES):
            figures = gather(self.settings, self.services, airflow, tracking, self.runs, self.plan)
        changed = [table for table, snapshot in before.items() if lake.snapshot(table) != snapshot]
        return {**figures, "seconds": self.overview.seconds, "tables_changed": changed}

    def _landing_zone(self) -> None:
        self.console.print(Padding(dataset.TERMS, (0, 0, 0, 2)), style="dim", highlight=False)
        where = ["--landing", str(self.settings.landing_dir), "--seed", str(self.settings.seed)]
        self.overview.now("films and shop")
        until = ["--until", str(self.plan.last_day)]
        making = {module: start(module, [*where, *until]) for module in ("local.movielens", "local.shop")}
        films, shop = (result(module, process) for module, process in making.items())
        lines = sum(films["lines"].values())
        self.console.print(
            f"  {lines:,} lines of ratings and {shop['events']:,} events of a shop in {films['files'] + shop['files']} files, "
            f"{films['files_written'] + shop['files_written']} of them new",
            highlight=False,
        )

    def _services(self) -> None:
        """Start the services, and meanwhile check a file of each source."""
        self._expect_own_settings()
        landing, failed = self.settings.landing_dir, list[Exception]()

        def check() -> None:
            try:
                show_checks(landing, truths(landing), dataset.FIRST_DAY, self.console)
            except (ClickwrightError, OSError) as error:
                failed.append(error)

        checking = Thread(target=check)
        checking.start()
        try:
            with contextlib.redirect_stdout(Lines(self.overview)):  # type: ignore[type-var]
                self.services.up()
        finally:
            checking.join()
        if failed:
            raise failed[0]

    def _expect_own_settings(self) -> None:
        """Airflow's tasks have the settings with which it was started.

        Raises:
            ConfigError: it runs already, for other sources.
        """
        scheduler = self.services.daemons.find("airflow-scheduler")
        if scheduler is None:
            return
        with contextlib.suppress(psutil.Error):
            theirs = scheduler.environ().get("CLICKWRIGHT_SOURCES", "")
            if not set(SOURCES) <= set(theirs.split(",")):
                raise ConfigError(
                    f"Airflow runs already, with CLICKWRIGHT_SOURCES={theirs or '(unset)'} instead of {','.join(SOURCES)}; "
                    f"at {self.services.airflow_url}; run `make down`, then `{self.plan.command}` again"
                )

    def _days(self, driver: Driver, tables: FirstTables) -> None:
        """Load the history, run the days, and wait for those that late events change."""
        step = self.overview.step
        with step(plan.HISTORY):
            history = driver.history(
                dataset.HISTORY_ARRIVAL, dataset.HISTORY_SINCE, lambda _: tables.show(dataset.HISTORY_ARRIVAL)
            )
            self.runs.append(history)
        with step(plan.DAYS):
            driver.airflow.unpause(LATE_DAG)  # before the backfill: Airflow drops late days reported while it is paused
            self.runs += driver.backfill(dataset.FIRST_DAY, self.plan.last_day, seen=lambda _: tables.show(dataset.FIRST_DAY))
        with step(plan.LATE):
            self.runs += driver.late_days(lambda: [date.fromisoformat(day) for day in run("jobs.late_days")["late_days"]])

    def _preparing_models(self) -> "subprocess.Popen[str]":
        """Prepare the language model in a separate process, whose memory is free again when it ends."""
        process = start("ml.prepare_models")
        with contextlib.suppress(OSError):  # it may have ended
            os.setpriority(os.PRIO_PROCESS, process.pid, LATER)
        return process

    def _prepared(self, models: "subprocess.Popen[str]") -> None:
        """Wait until the language model is ready.

        Raises:
            ClickwrightError: the preparation failed.
        """
        self.overview.now("waiting for the language model")
        _, said = models.communicate()
        if models.returncode:
            raise ClickwrightError(last_error("ml.prepare_models", said))

    def _served(self, tracking: Tracking) -> bool:
        """Whether the champion's recommendations and their ads are published."""
        champion, lake, day = tracking.champion(), open_lake(self.settings), self.plan.served_on
        if champion is None or day not in lake.partitions("creatives", "served_on"):
            return False
        versions = lake.arrow("recommendations", f"served_on = '{day}'", columns=["model_version"])
        return set(versions["model_version"].to_pylist()) == {champion["version"]}


def choose_settings(chosen: Plan) -> Settings:
    """The settings of a demonstration; those that the environment sets are kept.

    Args:
        chosen: the demonstration.

    Raises:
        ConfigError: the environment sets other sources.
    """
    for name, value in chosen.settings.items():
        os.environ.setdefault(name, value)
    settings = get_settings()
    if missing := [source for source in SOURCES if source not in settings.source_names]:
        raise ConfigError(
            f"the demonstration needs the sources {', '.join(SOURCES)}, but CLICKWRIGHT_SOURCES={settings.sources} does not "
            f"list {', '.join(missing)}; in the environment; unset it"
        )
    return settings


def has_later_days(settings: Settings) -> bool:
    """Whether the lake holds days after those of the short demonstration; then only the full one can continue."""
    profiles = open_lake(settings).partitions("profiles", "as_of")
    return bool(profiles) and profiles[-1] > SHORT.last_day


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the demonstration and write its figures and its report.

    Raises:
        ClickwrightError: a step failed, a planted defect was missed, a raw user id was found, or lines are unaccounted for.
    """
    parser = parser_of(str(__doc__).splitlines()[0], "python -m local.demo --keep-running")
    parser.add_argument("--full", action="store_true", help="seven days instead of two, and recipes tuned thoroughly")
    parser.add_argument("--keep-running", action="store_true", help="leave Airflow and MLflow running at the end")
    args = parser.parse_args(argv)
    settings = choose_settings(FULL if args.full else SHORT)
    chosen = FULL if args.full or has_later_days(settings) else SHORT
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 120, emoji=False)
    began = time.monotonic()
    demo = Demo(settings, console, chosen)
    ran_before = all(demo.services.daemons.find(daemon.name) for daemon in demo.services.programs())
    try:
        with demo.overview:
            figures = demo.run()
    except AirflowError as error:
        raise ClickwrightError(f"{one_line(error)}; see {settings.logs}; then run `{chosen.command}` again") from None
    finally:
        if demo.models is not None and demo.models.poll() is None:
            demo.models.terminate()
        if not (ran_before or args.keep_running):
            console.print("  stopping Airflow and MLflow", style="dim")
            with contextlib.redirect_stdout(io.StringIO()):
                demo.services.down()
    figures["seconds"]["all"] = round(time.monotonic() - began, 1)
    report, data = settings.var / "demo.html", settings.var / "demo.json"
    figures["links"] |= {"report": report.as_uri(), "figures": str(data)}
    write_atomically(data, json.dumps(figures, indent=1, default=str))
    write_report(figures, report)
    show(figures, console)
    judge(figures, data)
    open_page(report)
    return {"report": str(report), "figures": str(data), "seconds": figures["seconds"]["all"]}


def open_page(page: Path) -> bool:
    """Open a page in the browser of a person who sits at this machine. Returns whether it was opened."""
    screen = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not (screen and sys.stdout.isatty()) or os.environ.get("CI"):
        return False
    with contextlib.suppress(webbrowser.Error, OSError):
        return webbrowser.open(page.as_uri())
    return False


def judge(figures: dict[str, Any], data: Path) -> None:
    """Fail the demonstration if one of its promises does not hold.

    Args:
        figures: all figures, as :func:`local.demo.results.gather` returns them.
        data: the file with the figures, named in the messages.

    Raises:
        ClickwrightError: a planted defect was missed, a raw user id was found, or lines are unaccounted for.
    """
    missed = [f"{f['kind']} {f['found']}/{f['planted']}" for f in figures["planted"] if f["found"] != f["planted"]]
    if missed:
        raise ClickwrightError(f"planted defects were not found: {', '.join(missed)}; see `planted` in {data}")
    if figures["privacy"]["found"]:
        raise ClickwrightError(
            f"raw user ids were found in {', '.join(figures['privacy']['found'][:5])}; see `privacy` in {data}"
        )
    if not figures["accounts"]["total"]["balanced"]:
        raise ClickwrightError(f"lines read differ from events + rejects + duplicates; see `accounts` in {data}")


def cli() -> int:
    """Run ``main`` without printing its result, and report errors in one line. Returns the exit code."""
    for stops in (signal.SIGINT, signal.SIGTERM):  # also where a shell starts it in the background, with SIGINT ignored
        signal.signal(stops, signal.default_int_handler)
    try:
        main()
    except ClickwrightError as error:
        message, code = one_line(error), error.exit_code
    except OSError as error:
        message, code = explain_os_error(error), ClickwrightError.exit_code
    except KeyboardInterrupt:
        message, code = "interrupted; run the same command again to continue", INTERRUPTED
    else:
        return 0
    sys.stdout.flush()
    print(f"error: {printable(message)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    raise SystemExit(cli())
