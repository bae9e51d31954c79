"""Airflow and MLflow with a small data set: some published days, a champion and another model, and days to backfill."""

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from functools import cached_property
from pathlib import Path

import pytest
from mlflow import MlflowClient
from playwright.sync_api import HttpCredentials
from pydantic import SecretStr

from local.stack.__main__ import Services
from local.stack.airflow_client import GRACE, AirflowClient
from local.stack.configuration import password
from schemas.lake.lake import Lake, open_lake
from schemas.runtime.mlflow_rest import LOCAL_USER, local_credentials, local_password
from schemas.runtime.settings import ROOT, Settings
from tests.browser.sequential_reference import in_sequence
from tests.faults.versions import Partitions, partitions
from tests.jobs.simulated import FIRST_DAY, simulate
from tests.local.conftest import free_port

HISTORY = [FIRST_DAY + timedelta(days=i) for i in range(3)]
WEEK = [FIRST_DAY + timedelta(days=i) for i in range(3, 8)]
"""The five days that are backfilled."""
YESTERDAY = (datetime.now(UTC) - GRACE).date() - timedelta(days=1)
"""The arrival day of the scheduled run that starts when the workflow is unpaused."""
APPROVER = "alice"
FOLLOWS_WITHIN_S = 10
"""The scheduler starts the runs of an asset event within this time."""
ENVIRONMENT = {
    "CLICKWRIGHT_SOURCES": "simulated",
    "CLICKWRIGHT_PSEUDONYM_KEY": "the key of the tests, long enough",  # so that two lakes have equal pseudonyms
    "CLICKWRIGHT_APPROVERS": APPROVER,
}


@dataclass
class Stack:
    """The services, and the folder of the expected tables."""

    services: Services
    reference: Path

    @property
    def landing(self) -> Path:
        return self.services.settings.landing_dir

    def file(self, day: date, name: str) -> Path:
        """A landing file that arrives in the middle of a day."""
        return self.landing / "simulated" / f"arrived={day}T12" / f"{name}.jsonl.gz"

    @property
    def lake(self) -> Lake:
        return open_lake(self.services.settings)

    @cached_property
    def airflow(self) -> AirflowClient:
        return self.services.airflow()

    def sign_in(self, user: str) -> tuple[str, str, str]:
        return self.services.airflow_url, user, password(self.services.settings, user)

    @property
    def mlflow_login(self) -> HttpCredentials:
        """What a person types into the browser's login dialog for MLflow."""
        return {"username": LOCAL_USER, "password": local_password(self.services.settings)}

    def command(self, module: str, *arguments: str) -> dict[str, object]:
        """Run a command in a shell, with the environment of the services."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=self.services.env(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
        return result

    def settle(self, *dag_ids: str, timeout_s: float = 1500) -> None:
        """Wait until all runs of these workflows have ended and no new one has started for a while."""
        deadline, quiet_since = time.monotonic() + timeout_s, time.monotonic()
        while time.monotonic() < quiet_since + FOLLOWS_WITHIN_S:
            going = [run for dag_id in dag_ids for run in self.airflow.runs(dag_id) if not run.finished]
            if going:
                assert time.monotonic() < deadline, going
                quiet_since = time.monotonic()
            time.sleep(1)

    def expected(self) -> Partitions:
        """The tables of the reference, processed day by day."""
        return partitions(open_lake(Settings(var=self.reference)))

    def differs(self) -> list[str]:
        """The partitions that differ from the reference; days that the reference lacks do not count."""
        here = partitions(self.lake)
        return [
            f"{table} {day}"
            for table, days in self.expected().items()
            for day, digest in days.items()
            if here.get(table, {}).get(day) != digest
        ]

    def candidate(self, run: str, recipes: str) -> str:
        """Train with commands and register the best model. Returns its version."""
        self.command("ml.pin", "--run", run, "--train-until", str(HISTORY[2]), "--valid-days", "1")
        self.command("ml.train", "--run", run, "--recipes", recipes)
        return str(self.command("ml.register_challenger", "--run", run)["version"])

    @cached_property
    def mlflow(self) -> MlflowClient:
        return MlflowClient(self.services.mlflow_url)

    @property
    def model(self) -> str:
        return self.services.settings.registered_model

    def champion(self) -> str:
        """The version of the champion in MLflow."""
        return str(self.mlflow.get_model_version_by_alias(self.model, "champion").version)

    def tag(self, version: str, name: str) -> str:
        return str(self.mlflow.get_model_version(self.model, version).tags[name])

    def training_runs(self) -> list[str]:
        experiments = [experiment.experiment_id for experiment in self.mlflow.search_experiments()]
        return [run.info.run_id for run in self.mlflow.search_runs(experiments)]

    def served_by(self) -> dict[date, str]:
        """The model version of each day's recommendations."""
        if not self.lake.exists("recommendations"):
            return {}
        rows = self.lake.arrow("recommendations", columns=["served_on", "model_version"]).group_by(
            ["served_on", "model_version"]
        )
        return {row["served_on"]: row["model_version"] for row in rows.aggregate([]).to_pylist()}


def deliver(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


def walk(day: date, user: int, steps: int = 12, items: int = 200) -> list[str]:
    """The views of a user who always views the next item: a pattern for a model to learn."""
    start = datetime.combine(day, clock(12), UTC) + timedelta(seconds=user)
    first = 3 * user + steps * day.toordinal()  # continues from the day before
    return [
        json.dumps(
            {
                "id": f"walk-{user}-{day}-{step}",
                "user": f"walker-{user}@sim.example",
                "action": "view",
                "at": (start + timedelta(minutes=step)).isoformat(timespec="milliseconds"),
                "device": "web",
                "country": "PT",
                "agent": "Mozilla/5.0",
                "page": "product",
                "item": f"p{(first + step) % items:08d}",
            }
        )
        for step in range(steps)
    ]


def make_world(root: Path) -> None:
    """Write the landing zone: eight simulated days with defects, late events and walks, and yesterday."""
    simulate(root, events=8000, users=120, items=200, days=len(HISTORY + WEEK), dirt=0.05)
    landing = root / "landing" / "simulated"
    for day in HISTORY + WEEK:
        deliver(landing / f"arrived={day}T13" / "walkers.jsonl.gz", [line for user in range(80) for line in walk(day, user)])
    simulate(root / "yesterday", events=300, users=20, items=200, first_day=YESTERDAY, days=1, dirt=0)
    for folder in (root / "yesterday" / "landing" / "simulated").iterdir():
        folder.rename(landing / folder.name)


@contextmanager
def stack(root: Path, database: str | None = None) -> Iterator[Stack]:
    """The services on free ports, with all state below ``root``."""
    make_world(root / "var")
    (root / "reference").mkdir()
    (root / "reference" / "landing").symlink_to(root / "var" / "landing")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("CLICKWRIGHT_")]:
            patch.delenv(name)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setenv("CLICKWRIGHT_LANGUAGE_MODEL", str(root / "language-model"))
        subprocess.run(
            [sys.executable, "-m", "tests.browser.tiny_language_model", root / "language-model"], cwd=ROOT, check=True
        )
        in_sequence(root / "reference", HISTORY[0], WEEK[-1], ENVIRONMENT)
        in_sequence(root / "var", HISTORY[0], HISTORY[-1], ENVIRONMENT)
        settings = Settings(
            var=root / "var",
            airflow_port=free_port(),
            mlflow_port=free_port(),
            airflow_database=None if database is None else SecretStr(database),
        )
        services = Services(settings)
        for name, value in local_credentials(settings).items():
            patch.setenv(name, value)
        try:
            services.up()
            found = Stack(services, root / "reference")
            first = found.candidate("first", "popularity,item_knn")
            found.candidate("second", "popularity,item_knn")
            # Both pass the gate while there is no champion: afterwards the second is not better than the first.
            for run in ("first", "second"):
                found.command("ml.gate", "--run", run)
            found.mlflow.set_registered_model_alias(found.model, "champion", first)
            yield found
        finally:
            services.down()
