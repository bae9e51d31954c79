"""Assets: an asset is updated when its table, or its model alias, has changed. Other workflows are scheduled by it."""

from airflow.sdk import Asset

PROFILES = Asset(name="profiles", uri="clickwright://lake/profiles", group="lake")
"""Updated when a day of the table ``profiles`` is published."""

LATE_DAYS = Asset(name="late_days", uri="clickwright://lake/late_days", group="lake")
"""Published days whose sessions or profiles are out of date; each date is one partition."""

CHAMPION = Asset(name="champion", uri="clickwright://models/champion", group="models")
"""Updated when the alias ``@champion`` of the registered model moves."""
