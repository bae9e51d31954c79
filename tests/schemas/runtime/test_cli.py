"""What commands share: the name of the run that a shell's commands work for."""

import re
import subprocess
import sys

import pytest

from schemas.runtime.cli import run_id_default
from schemas.runtime.settings import ROOT

COMMAND = f"{sys.executable} -c 'from schemas.runtime.cli import run_id_default; print(run_id_default())'"


def names(shells: int) -> list[list[str]]:
    """What two commands of each shell are called."""
    script = f"{COMMAND}; {COMMAND}; exit"
    done = [subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(shells)]
    return [one.stdout.split() for one in done]


def test_the_commands_of_a_shell_meet_and_those_of_another_do_not() -> None:
    (one, two), (other, _) = names(2)
    assert one == two != other
    assert re.fullmatch(r"shell-\d+-[0-9a-f]{8}", one)


def test_the_same_process_id_on_another_machine_is_another_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    here = run_id_default()
    assert run_id_default() == here
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    assert run_id_default() != here
    assert run_id_default().rpartition("-")[0] == here.rpartition("-")[0]
