"""A command that behaves as requested; the operator tests run it like the project's own commands."""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.runtime.cli import run_command
from schemas.runtime.errors import ClickwrightError, ConfigError, NothingToDo, Refused

ERRORS = {
    "fail": ClickwrightError,
    "misconfigured": ConfigError,
    "refuse": Refused,
    "nothing": NothingToDo,
}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Succeed, fail or sleep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["succeed", "crash", "sleep", "once", *ERRORS])
    parser.add_argument("--file", type=Path, help="sleep: receives the child's id; once: fail if it does not exist")
    options = parser.parse_args(argv)
    print("a line on standard output")
    print("a line on standard error", file=sys.stderr)
    if options.what in ERRORS:
        raise ERRORS[options.what](f"told to {options.what}; in the probe; tell it otherwise")
    if options.what == "once" and not options.file.exists():
        options.file.touch()
        raise ClickwrightError("the first time fails; in the probe; try again")
    if options.what == "crash":
        raise RuntimeError("nobody\nexpected this")
    if options.what == "sleep":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        options.file.write_text(str(child.pid))
        time.sleep(600)
    return {"what": options.what, "rows": 3}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
