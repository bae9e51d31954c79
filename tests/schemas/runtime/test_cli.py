"""The default run of the commands of a shell."""

import re
import subprocess
import sys

import polars as pl
import pytest

from schemas.runtime.cli import run_command, run_id_default
from schemas.runtime.settings import ROOT

COMMAND = f"{sys.executable} -c 'from schemas.runtime.cli import run_id_default; print(run_id_default())'"


def names(shells: int) -> list[list[str]]:
    """The runs of two commands in each of several shells."""
    script = f"{COMMAND}; {COMMAND}; exit"
    done = [subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(shells)]
    return [one.stdout.split() for one in done]


@pytest.mark.slow
def test_a_run_is_shared_within_a_shell_only() -> None:
    (one, two), (other, _) = names(2)
    assert one == two != other
    assert re.fullmatch(r"shell-\d+-[0-9a-f]{8}", one)


def test_a_run_depends_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    here = run_id_default()
    assert run_id_default() == here
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    assert run_id_default() != here
    assert run_id_default().rpartition("-")[0] == here.rpartition("-")[0]


def test_panic_of_a_library_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    """It is not an ``Exception``, so it passed every handler."""

    def panics() -> dict[str, object]:
        pl.Series([2**63 - 1]).cast(pl.Datetime("us")).cast(pl.String)
        return {}

    assert run_command(panics) == 1
    *_, last = capfd.readouterr().err.splitlines()
    assert last.startswith("error: a library failed (invalid or out-of-range datetime); at tests/schemas/runtime/test_cli.py:")
