"""Parameters that several workflows have in common."""

from airflow.sdk import Param


def optional_date(title: str, description: str) -> Param:
    """A date that a person may leave empty."""
    return Param(None, type=["null", "string"], format="date", title=title, description=description)
