"""What a person may say when a training is triggered by hand."""

from airflow.sdk import Param

from dags.common.params import optional_date

PARAMS = {
    "train_until": optional_date(
        "Train until", "Fit on what happened before this date (00:00 UTC), test on the rest. Empty: the week that ended."
    ),
    "valid_days": Param(
        14,
        type="integer",
        minimum=1,
        title="Days to validate on",
        description="Days before that date which choose between models and settings; fewer where there is little history.",
    ),
    "response_hours": Param(
        48.0,
        type="number",
        exclusiveMinimum=0,
        title="Hours to answer",
        description="How long the approval waits. No answer by then counts as a reject.",
    ),
    "training": Param(
        None,
        type=["null", "string"],
        title="Training",
        description="Name of an earlier run's training: its models are compared and asked about again, not trained. "
        "Empty: a training of its own.",
    ),
}
