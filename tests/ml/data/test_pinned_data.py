"""The pinned data of a training: what one task writes, the next reads, and nothing else."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ml.data.pinned_data import PinnedData, read_pin, training_folder
from schemas.runtime.errors import ClickwrightError

WEEKLY: dict[str, Any] = {
    "run": "weekly",
    "training": "weekly",
    "tag": "train-weekly",
    "snapshots": {"session_events": 7},
    "train_until": "2024-03-01",
    "valid_days": 14,
    "valid_from": "2024-02-16",
    "items_as_of": None,
    "code_version": "0.1.0+abc",
    "seed": 7,
}


def write(var: Path, **changed: Any) -> None:
    folder = training_folder("weekly")
    folder.mkdir(parents=True)
    (folder / "data.json").write_text(json.dumps(WEEKLY | changed))


def test_pin_of_an_earlier_version_is_read(var: Path) -> None:
    write(var)  # without ``reads`` and ``encoder``, which came later
    pinned = read_pin("weekly")
    assert (pinned.train_until, pinned.snapshots, pinned.reads, pinned.encoder) == (
        date(2024, 3, 1),
        {"session_events": 7},
        {},
        None,
    )
    assert PinnedData.model_validate_json(pinned.model_dump_json()) == pinned


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"train_until": "March"}, "train_until"),
        ({"snapshots": {"items": "x"}}, "snapshots.items"),
        ({"trian_until": 1}, "trian_until"),
    ],
)
def test_wrong_value_is_named(var: Path, changed: dict[str, Any], wrong: str) -> None:
    write(var, **changed)
    with pytest.raises(ClickwrightError, match=rf"cannot be read: {wrong}; in .*data\.json; pin it again"):
        read_pin("weekly")


def test_training_without_a_pin(var: Path) -> None:
    with pytest.raises(ClickwrightError, match=r"has no pinned data; no .*; run `python -m ml\.pin`"):
        read_pin("weekly")
