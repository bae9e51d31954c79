"""The password of an MLflow server is never shown."""

import pytest

from ml.promotion.summary import links
from ml.tracking.rest import champion_version
from ml.tracking.runs import connect
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import Settings, get_settings


@pytest.fixture(params=["s3cret-word", "s3cr/et-word", "s3cr@et-word"])
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a server that does not answer, behind a password."""
    monkeypatch.setenv("CLICKWRIGHT_MLFLOW_TRACKING_URI", f"http://user:{request.param}@127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return get_settings()


@pytest.mark.slow
def test_errors_and_links_hold_no_password(settings: Settings) -> None:
    said = [links(settings, "1", {"experiment_id": "1", "run_id": "r"})]
    for call in (champion_version, connect):
        with pytest.raises(ClickwrightError) as raised:
            call(settings)
        said.append(str(raised.value))
    assert "et-word" not in " ".join(said)
    assert "http://127.0.0.1:1/#/experiments/1/runs/r" in said[0]
    assert "http://user:***@127.0.0.1:1" in said[1]
