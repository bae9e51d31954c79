"""What a person may say when a day is triggered by hand, or backfilled."""

from airflow.sdk import Param

PARAMS = {
    "history_since": Param(
        None,
        type=["null", "string"],
        format="date",
        title="History since",
        description="For a bulk load of history: the first date in it. Empty for an ordinary day.",
    )
}
