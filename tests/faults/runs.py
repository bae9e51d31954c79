"""Runs a driver of this folder as a separate process, and reads its counts."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.runtime.settings import ROOT


def driver(name: str, *arguments: object, env: Mapping[str, str], inside: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON that ``tests.faults.<name>`` prints last."""
    command = [*inside, sys.executable, "-m", f"tests.faults.{name}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=dict(env), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def add(tally: Counter[str], found: Mapping[str, Any], *names: str) -> None:
    tally.update({name: found[name] for name in names if name in found})
