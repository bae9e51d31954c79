"""Models trained on an erased user are marked, a promotion warns, and the next training excludes the user."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ml import gate, mark_erased, pin, promote, register_challenger, train
from ml.tracking.registry import tags_of
from ml.tracking.runs import connect
from schemas.erasure.__main__ import erase
from schemas.erasure.receipt import ErasedFrom, Receipt, read_receipt
from schemas.lake.lake import Lake
from schemas.privacy.erasure_requests import Request
from schemas.runtime.errors import ConfigError, NothingToDo
from schemas.runtime.local_files import private_file
from schemas.runtime.settings import get_settings
from tests.ml.conftest import pseudonym

pytestmark = pytest.mark.slow


def trained(run: str) -> str:
    """Train two recipes and register the better one; returns its version."""
    pin.main(["--run", run, "--train-until", "2024-03-01"])
    train.main(["--run", run, "--recipes", "popularity,markov"])
    return str(register_challenger.main(["--run", run])["version"])


def erased(lake: Lake, user: int) -> Path:
    """Erase a user of the walk by the pseudonym; returns the receipt."""
    private_file(get_settings().pseudonym_key_file)  # the walk's lake was made without a key
    folder = get_settings().erasures
    folder.mkdir(parents=True, exist_ok=True)
    request = Request(f"{user:016x}", date(2024, 3, 8), (pseudonym(user),), folder / f"{user:016x}.request.json")
    return erase(lake, get_settings(), request)


def tags(version: str) -> dict[str, Any]:
    return tags_of(connect(get_settings()).get_model_version("recommender", version))


def test_versions_trained_on_an_erased_user_are_marked(walk_lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert trained("before") == "1"
    receipt = erased(walk_lake, user=5)
    assert trained("after") == "2"
    found = read_receipt(receipt)
    assert found.tables["session_events"].tags == ["train-before"]
    assert mark_erased.main([]) == {"marked": {found.request: ["1"]}}
    assert read_receipt(receipt).model_versions == ["1"]
    assert (tags("1")["erasure_due"], tags("2").get("erasure_due")) == (found.request, None)
    assert mark_erased.main(["--receipt", str(receipt)]) == {"marked": {found.request: ["1"]}}

    capsys.readouterr()
    assert gate.main(["--run", "before"])["erasure_due"] == found.request
    assert promote.main(["--run", "before"])["erasure_due"] == found.request
    told = capsys.readouterr()
    assert (told.err + told.out).count("trained on an erased user") == 2

    pinned = pin.read_pin("after").snapshots["session_events"]
    users = walk_lake.arrow("session_events", snapshot=pinned, columns=["user_id"])["user_id"].unique().to_pylist()
    assert pseudonym(5) not in users
    assert pseudonym(6) in users


def test_the_snapshots_of_the_training_decide() -> None:
    tables = {"session_events": ErasedFrom(rows=1, snapshots=[7, 9])}
    receipt = Receipt(
        request="r", on=date(2026, 1, 1), persons=1, code_version="1", tables=tables, pages_painted_over=[], files_elsewhere=[]
    )
    assert mark_erased.trained_on({"session_events": 9, "items": 1}, receipt)
    assert not mark_erased.trained_on({"session_events": 8, "items": 7}, receipt)
    assert not mark_erased.trained_on({}, receipt)


def test_nothing_to_mark_without_an_erasure(tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match="nobody was ever erased"):
        mark_erased.main([])
    with pytest.raises(ConfigError, match="no such receipt"):
        mark_erased.main(["--receipt", str(tmp_path / "none.json")])
