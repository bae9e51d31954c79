"""What workflows tell each other: an asset is updated when the table, or the alias, behind it has changed."""

from airflow.sdk import Asset

PROFILES = Asset(name="profiles", uri="clickwright://lake/profiles", group="lake")
"""A day of the table ``profiles`` was published."""

LATE_DAYS = Asset(name="late_days", uri="clickwright://lake/late_days", group="lake")
"""Published days whose sessions or profiles newer events change: a partition a day, by its date."""

CHAMPION = Asset(name="champion", uri="clickwright://models/champion", group="models")
"""The alias ``@champion`` of the registered model was moved."""
