"""The demonstration (``make demo``): the whole flow on MovieLens 100K, through Airflow's real scheduler.

It writes the landing zone, starts Airflow and MLflow, loads the history, backfills seven days, trains and promotes a
model, recommends, and sums up: on the terminal, in ``var/demo.json`` and in ``var/demo.html``. Finished steps are not
repeated.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding

from local.demo.driver import Driver
from local.demo.mlflow_client import Tracking
from local.demo.report import write_report
from local.demo.results import gather
from local.demo.terminal_summary import show
from local.movielens import dataset
from local.movielens.__main__ import main as lay_out_movielens
from local.stack.__main__ import Services
from local.stack.airflow_client import LATE_DAG, AirflowError, Run
from schemas.contract import table_names
from schemas.lake.lake import open_lake
from schemas.runtime.cli import explain_os_error, one_line, parser_of
from schemas.runtime.errors import ClickwrightError, ConfigError
from schemas.runtime.local_files import write_atomically
from schemas.runtime.mlflow_rest import local_credentials
from schemas.runtime.settings import Settings, get_settings
from schemas.runtime.terminal import printable

SERVED_ON = dataset.LAST_DAY + timedelta(days=1)
INTERRUPTED = 130
STEPS = 7


def last_error(module: str, errors: str) -> str:
    """The error message of a failed command.

    >>> last_error("jobs.late_days", "a warning\\nerror: the lake is lost")
    'the lake is lost'

    Args:
        module: the command's module, named if the command printed nothing.
        errors: the command's standard error.
    """
    return (errors.strip().splitlines() or [f"{module} printed no error"])[-1].removeprefix("error: ")


class Demo:
    """One pass over the steps of the demonstration, with the duration of each."""

    def __init__(self, settings: Settings, console: Console) -> None:
        self.settings = settings
        self.console = console
        self.services = Services(settings)
        self.seconds: dict[str, float] = {}
        self.runs: list[Run] = []
        self.models: subprocess.Popen[str] | None = None

    @contextmanager
    def step(self, number: int, title: str) -> Iterator[None]:
        """Announce a step and measure its duration.

        Args:
            number: its number, from 1.
            title: its title, on the terminal and in the report.
        """
        self.console.print(f"[cyan]{number}/{STEPS}[/] [bold]{title}[/]", highlight=False)
        began = time.monotonic()
        yield
        self.seconds[title] = round(time.monotonic() - began, 1)

    def run(self) -> dict[str, Any]:
        """Run the unfinished steps, and return all figures."""
        with self.step(1, "Landing zone"):
            self._landing_zone()
        self.models = self._preparing_models()  # in parallel; the ad copy in step 6 needs it first
        lake = open_lake(self.settings)
        before = {table: lake.snapshot(table) for table in table_names()}
        with self.step(2, "Airflow and MLflow"):
            self.services.up()
        airflow = self.services.airflow()
        tracking = Tracking(self.services.mlflow_url, self.settings.registered_model, local_credentials(self.settings))
        driver = Driver(airflow, self.services.airflow_home / "logs", self.console)
        with self.step(3, "History"):
            self.runs.append(driver.history(dataset.HISTORY_ARRIVAL, dataset.HISTORY_SINCE))
        with self.step(4, "Seven days"):
            airflow.unpause(LATE_DAG)  # before the backfill: Airflow drops late days that are reported while it is paused
            self.runs += driver.backfill(dataset.FIRST_DAY, dataset.LAST_DAY)
            self.runs += driver.late_days(self._late_days)
        self._prepared(self.models)
        with self.step(5, "Training and promotion"):
            trained, now = driver.train(dataset.FIRST_DAY)
            self.runs.append(trained)
        with self.step(6, "Recommendations and ad copy"):
            recommended = driver.recommend(lambda: self._served(tracking), follows=now)
            self.runs += [recommended] if recommended else []
        if not self._served(tracking):
            raise ClickwrightError(
                f"the workflow recommend ended without recommendations of the champion for {SERVED_ON}; "
                f"in {self.settings.lake_dir}; see the log of its task `due`, then run `make demo` again"
            )
        with self.step(7, "Figures"):
            figures = gather(self.settings, self.services, airflow, tracking, self.runs, SERVED_ON)
        changed = [table for table, snapshot in before.items() if lake.snapshot(table) != snapshot]
        return {**figures, "seconds": self.seconds, "tables_changed": changed}

    def _landing_zone(self) -> None:
        self.console.print(Padding(dataset.TERMS, (0, 0, 0, 2)), style="dim", highlight=False)
        if dataset.SOURCE not in self.settings.source_names:
            raise ConfigError(
                f"the demonstration needs the source {dataset.SOURCE}, but CLICKWRIGHT_SOURCES="
                f"{self.settings.sources} does not list it; in the environment; unset it"
            )
        made = lay_out_movielens(["--landing", str(self.settings.landing_dir), "--seed", str(self.settings.seed)])
        lines = sum(made["lines"].values())
        self.console.print(f"  {lines:,} lines in {made['files']} files, {made['files_written']} of them new")

    def _late_days(self) -> list[date]:
        """The days that are still out of date because of late events, from the command ``jobs.late_days``."""
        command = [sys.executable, "-m", "jobs.late_days"]
        done = subprocess.run(
            command, cwd=self.settings.root, capture_output=True, text=True, check=False, encoding="utf-8", errors="replace"
        )
        if done.returncode:
            raise ClickwrightError(last_error("jobs.late_days", done.stderr))
        return [date.fromisoformat(late) for late in json.loads(done.stdout.splitlines()[-1])["late_days"]]

    def _preparing_models(self) -> "subprocess.Popen[str]":
        """Prepare the language model in a separate process, whose memory is free again when it ends."""
        command = [sys.executable, "-m", "ml.prepare_models"]
        return subprocess.Popen(
            command,
            cwd=self.settings.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )

    def _prepared(self, models: "subprocess.Popen[str]") -> None:
        """Wait until the language model is ready.

        Raises:
            ClickwrightError: the preparation failed.
        """
        _, said = models.communicate()
        if models.returncode:
            raise ClickwrightError(last_error("ml.prepare_models", said))

    def _served(self, tracking: Tracking) -> bool:
        """Whether the champion's recommendations and their ad copy are published."""
        champion, lake = tracking.champion(), open_lake(self.settings)
        if champion is None or SERVED_ON not in lake.partitions("creatives", "served_on"):
            return False
        versions = lake.arrow("recommendations", f"served_on = '{SERVED_ON}'", columns=["model_version"])
        return set(versions["model_version"].to_pylist()) == {champion["version"]}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the demonstration and write its figures and its report.

    Raises:
        ClickwrightError: a step failed, a planted defect was missed, a raw user id was found, or lines are unaccounted for.
    """
    parser = parser_of(str(__doc__).splitlines()[0], "python -m local.demo --keep-running")
    parser.add_argument("--keep-running", action="store_true", help="leave Airflow and MLflow running at the end")
    args = parser.parse_args(argv)
    settings = get_settings()
    console = Console(width=None if sys.stdout.isatty() else 120, emoji=False)
    began = time.monotonic()
    demo = Demo(settings, console)
    ran_before = all(demo.services.daemons.find(daemon.name) for daemon in demo.services.programs())
    try:
        figures = demo.run()
    except AirflowError as error:
        raise ClickwrightError(f"{one_line(error)}; see {settings.logs}; then run `make demo` again") from None
    finally:
        if demo.models is not None and demo.models.poll() is None:
            demo.models.terminate()
        if not (ran_before or args.keep_running):
            demo.services.down()
    figures["seconds"]["all"] = round(time.monotonic() - began, 1)
    report, data = settings.var / "demo.html", settings.var / "demo.json"
    figures["links"] |= {"report": report.as_uri(), "figures": str(data)}
    write_atomically(data, json.dumps(figures, indent=1, default=str))
    write_report(figures, report)
    show(figures, console)
    judge(figures, data)
    return {"report": str(report), "figures": str(data), "seconds": figures["seconds"]["all"]}


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
    try:
        main()
    except ClickwrightError as error:
        message, code = one_line(error), error.exit_code
    except OSError as error:
        message, code = explain_os_error(error), ClickwrightError.exit_code
    except KeyboardInterrupt:
        message, code = "interrupted; run `make demo` again to continue", INTERRUPTED
    else:
        return 0
    sys.stdout.flush()
    print(f"error: {printable(message)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    raise SystemExit(cli())
