"""The check that stands in for the audit in tests of other things finds the same faults."""

from datetime import timedelta

import polars as pl
import pyarrow as pa
import pytest

from schemas.contract import load_contract
from schemas.publishing import audit
from schemas.publishing.audit_record import read_audit
from schemas.publishing.staging import open_attempt
from schemas.runtime.errors import Refused
from tests.pipeline import broken_rules, check
from tests.schemas.conftest import DAY, session_rows

SOUND = session_rows(DAY, 3)
WRONG = {
    "a negative duration": session_rows(DAY, 2, first=3, duration_s=-1.0),
    "an end before the start": session_rows(DAY, 1, first=3, ended_at=SOUND["started_at"][0].as_py() - timedelta(hours=1)),
    "no first event": session_rows(DAY, 1, first=3).drop_columns("first_event_id"),
    "a raw id": session_rows(DAY, 1, first=3, user_id="ann@shop.example"),
    "the same session again": SOUND.slice(1),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", WRONG)
def test_check_and_audit_name_the_same_rules(fault: str) -> None:
    rows = pa.concat_tables([SOUND, WRONG[fault]], promote_options="default").select(SOUND.column_names)
    with open_attempt("sessionize", "r", {}) as attempt:
        attempt.write_arrow("sessions", rows, replaces=("closed_on", [DAY]))
    with pytest.raises(Refused):
        audit.main(["--job", "sessionize", "--run", "r"])
    audited = {rule.rule: rule.broken for rule in read_audit("sessionize", "r").tables["sessions"] if not rule.passed}
    assert broken_rules(load_contract("sessions"), pl.DataFrame(rows)) == audited
    with pytest.raises(AssertionError, match="sessions"):
        check("sessionize", "r")
