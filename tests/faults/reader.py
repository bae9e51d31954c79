"""Reads every table continuously, and records unpublished states: partial partitions, duplicate or unaudited rows.

``python -m tests.faults.reader VAR`` reads until VAR-stop exists; VAR-versions.json lists the published versions.
"""

import json
import sys
from pathlib import Path
from typing import Any

from schemas.lake.lake import open_lake
from schemas.runtime.errors import ClickwrightError
from tests.faults.backfill import beside
from tests.faults.versions import Versions, partitions

CLEAR = "the catalog "


def read_on(var: Path) -> dict[str, Any]:
    """Read until the stop file exists.

    Returns:
        ``readings`` of all tables; those ``refused`` because the catalog was missing; the ``strange`` partitions.
    """
    versions = Versions(json.loads(beside(var, "versions.json").read_text()))
    known: set[tuple[str, str]] = set()
    strange: set[str] = set()
    readings = refused = 0
    last = False
    while not last:
        last = beside(var, "stop").exists()  # then read once more
        try:
            seen = partitions(open_lake())
        except ClickwrightError as error:
            if not str(error).startswith(CLEAR):
                raise
            refused += 1
            continue
        now = {(name, value) for name, values in seen.items() for value in values}
        strange |= {*versions.strange(seen), *(f"{name} {value} disappeared" for name, value in known - now)}
        known |= now
        readings += 1
    return {"readings": readings, "refused": refused, "strange": sorted(strange)}


if __name__ == "__main__":
    print(json.dumps(read_on(Path(sys.argv[1]))))
