"""Clickwright as in production: the commands that clean, audit and publish, then sessionise and audit.

It does more than the others: pseudonyms, near duplicates, bots, rejects with reasons, all columns of the lake, and the audits.
So its rows are counted, not compared.

``python -m tests.benchmarks.engines.two_jobs INPUT OUTPUT``
"""

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from schemas.runtime.errors import ConfigError
from schemas.source import load_source
from tests.benchmarks.data import FIRST_NIGHT
from tests.benchmarks.job import input_files

SOURCE = "simulated_parquet"
DAYS = 7


def missing() -> str | None:
    """The reason why this engine cannot run, or None."""
    try:
        return None if str(load_source(SOURCE).format) == "parquet" else "needs a Parquet source"
    except ConfigError:
        return "needs a Parquet source"


def main(source: Path, target: Path) -> dict[str, Any]:
    first = FIRST_NIGHT.date()
    arrived_on, last = first + timedelta(days=DAYS), first + timedelta(days=DAYS + 1)
    landing = target / "landing" / SOURCE / f"arrived={arrived_on}T02"
    landing.mkdir(parents=True)
    for path in input_files(source):
        (landing / path.name).hardlink_to(path)  # a link out of the landing zone is not read
    settings = {"VAR": target / "var", "LANDING": target / "landing", "SOURCES": SOURCE}
    environment = os.environ | {f"CLICKWRIGHT_{name}": str(value) for name, value in settings.items()}

    def run(*command: str) -> dict[str, Any]:
        program = [sys.executable, "-m", *command, "--run", "bench"]
        done = subprocess.run(program, env=environment, check=True, stdout=subprocess.PIPE)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    cleaned = run("jobs.clean", "--arrived-on", str(arrived_on), "--history-since", str(date(1990, 1, 1)))
    run("schemas.publishing.audit", "--job", "clean")
    run("schemas.publishing.publish", "--job", "clean")
    run("jobs.sessionize", "--from", str(first), "--to", str(last))
    run("schemas.publishing.audit", "--job", "sessionize")
    return {"events": cleaned["events"]}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
