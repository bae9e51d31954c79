"""Reads every table again and again, and notes whatever was never published: part of a partition, a row twice, a row unaudited.

``python -m tests.faults.reader VAR`` reads until VAR-stop is there; VAR-versions.json says what may be seen.
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
    """Read until told to stop.

    Returns:
        ``readings`` of all tables; those ``refused`` because the catalog was away; what was ``strange``.
    """
    versions = Versions(json.loads(beside(var, "versions.json").read_text()))
    known: set[tuple[str, str]] = set()
    strange: set[str] = set()
    readings = refused = 0
    last = False
    while not last:
        last = beside(var, "stop").exists()  # and once more after that
        try:
            seen = partitions(open_lake())
        except ClickwrightError as error:
            if not str(error).startswith(CLEAR):
                raise
            refused += 1
            continue
        now = {(name, value) for name, values in seen.items() for value in values}
        strange |= {*versions.strange(seen), *(f"{name} {value} went" for name, value in known - now)}
        known |= now
        readings += 1
    return {"readings": readings, "refused": refused, "strange": sorted(strange)}


if __name__ == "__main__":
    print(json.dumps(read_on(Path(sys.argv[1]))))
