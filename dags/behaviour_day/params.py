"""Parameters of a manual run or a backfill of `behaviour_day`."""

from airflow.sdk import Param

from dags.common.params import optional_date

PARAMS = {
    "history_since": optional_date(
        "History since",
        "To load history in one run: its first date, not before the earliest event time of the contract. "
        "Leave empty for an ordinary day.",
    ),
    "allow_missing_files": Param(
        False,
        type="boolean",
        title="Allow missing files",
        description="Process a published day again although its landing files, or lines of them, are gone. Their rows go.",
    ),
}
