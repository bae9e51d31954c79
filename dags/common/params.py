"""Parameters that several workflows share."""

from airflow.sdk import Param


def optional_date(title: str, description: str) -> Param:
    """A date that may be left empty.

    Args:
        title: the label in the trigger form.
        description: the help text in the trigger form.
    """
    return Param(None, type=["null", "string"], format="date", title=title, description=description)
