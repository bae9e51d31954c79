"""What a person may say when a day is triggered by hand, or backfilled."""

from dags.common.params import optional_date

PARAMS = {
    "history_since": optional_date(
        "History since", "For a bulk load of history: the first date in it. Empty for an ordinary day."
    )
}
