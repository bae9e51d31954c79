"""Lines at which a library fails: each is a reject, and costs no other line."""

import polars as pl
import pytest

from jobs.cleaning.faults import MOST_FAULTS, in_parts
from schemas.runtime.errors import ClickwrightError

FAR = 2**63 - 1


def years(lines: pl.DataFrame) -> list[tuple[int, str | None]]:
    """A computation at which Polars panics for times far away; it reads only lines without a problem."""
    sound = lines.filter(pl.col("problem").is_null())
    sound["time"].cast(pl.Datetime("us")).cast(pl.String)
    return lines.select("line_number", "problem").rows()


def lines(times: list[int]) -> pl.DataFrame:
    none = pl.Series([None] * len(times), dtype=pl.String)
    return pl.DataFrame({"line_number": range(1, len(times) + 1), "problem": none, "line": none, "time": times})


def test_line_at_which_polars_panics_is_a_reject(capfd: pytest.CaptureFixture[str]) -> None:
    found = [row for part in in_parts(lines([0, 1, FAR, 3, 4, 5, FAR]), years, "shop/a.jsonl") for row in part]
    assert found == [(1, None), (2, None), (3, "line.fault"), (4, None), (5, None), (6, None), (7, "line.fault")]
    assert "shop/a.jsonl" in capfd.readouterr().out


def test_fault_of_every_line_ends_the_job() -> None:
    with pytest.raises(ClickwrightError, match=r"a library failed \(PanicException\); at line \d+ of shop/a.jsonl, and others"):
        in_parts(lines([FAR] * (MOST_FAULTS + 1)), years, "shop/a.jsonl")


def test_errors_of_the_machine_are_not_faults_of_lines() -> None:
    def full(_: pl.DataFrame) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        in_parts(lines([0, 1]), full, "shop/a.jsonl")
