"""Parameters of a manual run of `train_recommender`."""

from airflow.sdk import Param

from dags.common.params import optional_date

PARAMS = {
    "train_until": optional_date(
        "Train until", "Train on the events before this date (00:00 UTC), test on the rest. Empty: the week that just ended."
    ),
    "valid_days": Param(
        14,
        type="integer",
        minimum=1,
        title="Days to validate on",
        description="The last days before that date; they select models and settings. Fewer if there is little history.",
    ),
    "effort": Param(
        "full",
        type="string",
        enum=["full", "quick"],
        title="Effort",
        description="quick: every recipe tries fewer settings, and networks train for fewer epochs: a training in minutes, for "
        "a first look at a new log. The gate is the same.",
    ),
    "response_hours": Param(
        48.0,
        type="number",
        exclusiveMinimum=0,
        title="Hours to answer",
        description="How long the approval waits for an answer. No answer counts as a rejection.",
    ),
    "training": Param(
        None,
        type=["null", "string"],
        title="Training",
        description="The training of an earlier run: its models are compared and put to a person again, without training. "
        "Empty: train new models.",
    ),
}
