"""The champion's version, without importing MLflow where it is a server."""

from schemas.runtime.mlflow_rest import CHAMPION, credentials, version_by_alias
from schemas.runtime.settings import Settings


def champion_version(settings: Settings) -> str | None:
    """The champion's version, or None if the model or the alias does not exist.

    Raises:
        ClickwrightError: MLflow does not answer, or answers with another error.
    """
    where = settings.mlflow_tracking_uri
    if not where.startswith("http"):  # a database instead of a server has no REST API
        from ml.tracking.registry import by_alias
        from ml.tracking.runs import connect

        version = by_alias(connect(settings), settings, CHAMPION)
        return None if version is None else str(version.version)
    found = version_by_alias(where, settings.registered_model, CHAMPION, credentials(settings))
    return None if found is None else str(found["version"])
