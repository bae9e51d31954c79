"""When recommendations are due, and that the check is quick."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from ml.recommend_due import decide, has_copy, newest_publish
from ml.tracking.rest import champion_version
from schemas.lake.commits import Commit
from schemas.lake.lake import open_lake
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import get_settings

DAY = date(2024, 2, 29)


@pytest.mark.parametrize(
    ("profiles", "champion", "served", "copied", "due", "why"),
    [
        (None, "1", None, False, False, "no profiles are published yet"),
        (DAY, None, None, False, False, "no version is @champion"),
        (DAY, "1", None, False, True, "nothing is recommended for 2024-03-01 yet"),
        (DAY, "1", "1", True, False, "recommendations for 2024-03-01 by version 1 exist already"),
        (DAY, "1", "2", True, True, "recommendations for 2024-03-01 are by version 2, and @champion is 1"),  # rolled back
        (DAY, "1", "1", False, True, "recommendations for 2024-03-01 by version 1 have no ad copy yet"),
    ],
)
def test_decide(profiles: date | None, champion: str | None, served: str | None, copied: bool, due: bool, why: str) -> None:
    answer = decide(profiles, champion, served, copied)
    assert (answer["due"], answer["why"], answer["version"]) == (due, why, champion)
    assert answer["served_on"] == (None if profiles is None else "2024-03-01")


def test_an_unreachable_server_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(ClickwrightError, match=r"MLflow does not answer \(ConnectionError\); at http://127.0.0.1:9"):
        champion_version(get_settings())


@pytest.mark.slow
def test_the_check_imports_no_heavy_package() -> None:
    code = "import sys, ml.recommend_due; print(sorted({'torch', 'mlflow', 'transformers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_copy_for_earlier_recommendations_does_not_count(var: Path) -> None:
    lake = open_lake()

    def published(table: str, inputs: dict[str, int], manifest: str) -> Commit:
        what = {"run": "r", "job": "j", "manifest": manifest, "notes": "{}"}
        commit = lake.replace(table, "served_on", {DAY: []}, what, inputs)
        assert commit is not None
        return commit

    first = published("recommendations", {}, "by version 1")
    assert not has_copy(lake, first, DAY)
    published("creatives", {"recommendations": first.snapshot_id}, "copy of 1")
    assert has_copy(lake, first, DAY)
    second = published("recommendations", {}, "by version 2")
    assert newest_publish(lake, "recommendations", DAY) == second
    assert not has_copy(lake, second, DAY)
    published("creatives", {"recommendations": second.snapshot_id}, "copy of 2")
    assert has_copy(lake, second, DAY)
