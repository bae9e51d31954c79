"""Interrupted trainings resume to the same weights; a NaN loss ends a training and leaves its batch."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file

from ml.data.splits import Split
from ml.models.transformer.recommender import Transformer
from ml.models.transformer.trainer import BATCH_FILE, NotFiniteError, step_of
from ml.tracking.run_checkpoints import RunCheckpoints
from ml.tracking.runs import connect

pytestmark = pytest.mark.slow

STEPS_AN_EPOCH, EPOCHS = 6, 4
SMALL = {"width": 16, "max_length": 16, "max_epochs": EPOCHS, "patience": EPOCHS}


class PowerCutError(Exception):
    pass


class Folder:
    """Checkpoints in a folder; the power fails after the checkpoint of a given step."""

    def __init__(self, path: Path, power_until: int = 1000) -> None:
        self.path, self.power_until = path, power_until
        self.file: dict[str, Any] = {}

    def fetch(self, folder: Path) -> None:
        for checkpoint in self.path.glob("*"):
            shutil.copytree(checkpoint, folder / checkpoint.name)

    def keep(self, checkpoints: Sequence[Path]) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        for checkpoint in checkpoints:
            shutil.copytree(checkpoint, self.path / checkpoint.name)
        if step_of(checkpoints[-1]) >= self.power_until:
            raise PowerCutError

    def keep_file(self, path: Path) -> None:
        assert path.name == BATCH_FILE
        self.file = load_file(path)


@pytest.mark.parametrize("judged", [True, False], ids=["with validation", "for so many epochs"])
@pytest.mark.parametrize("step", [3, 9, 2 * STEPS_AN_EPOCH, EPOCHS * STEPS_AN_EPOCH])
def test_a_resumed_training_ends_with_the_same_weights(
    walk: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, judged: bool
) -> None:
    monkeypatch.setenv("CLICKWRIGHT_CHECKPOINT_STEPS", "3")
    validation = walk.validation if judged else None
    settings = SMALL if judged else SMALL | {"epochs": EPOCHS}

    def fit(store: Folder | None) -> tuple[Transformer, list[Any]]:
        model, told = Transformer(**settings), []
        model.checkpoints = store
        model.fit(
            walk.fit, walk.catalog, seed=1, validation=validation, log=lambda values, epoch: told.append((epoch, *values))
        )
        return model, told

    undisturbed, told = fit(None)
    with pytest.raises(PowerCutError):
        fit(Folder(tmp_path / "kept", power_until=step))
    again, told_again = fit(Folder(tmp_path / "kept"))
    assert again.settings == undisturbed.settings
    assert told_again == told
    assert again.network is not None
    assert undisturbed.network is not None
    theirs = undisturbed.network.state_dict()
    for name, weights in again.network.state_dict().items():
        np.testing.assert_array_equal(weights, theirs[name], err_msg=name)


def test_a_resumed_training_keeps_its_patience(walk: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_epochs = [0.5, 0.4, 0.4, 0.9]  # with a patience of two the fourth is never reached

    def epochs_of(store: Folder, begun: int) -> int:
        answers = iter(of_epochs[begun:])
        monkeypatch.setattr(Transformer, "validation_ndcg", lambda *_: next(answers))
        model = Transformer(**SMALL | {"patience": 2})
        model.checkpoints = store
        return int(model.fit(walk.fit, walk.catalog, seed=1, validation=walk.validation).chosen["epochs"])

    assert epochs_of(Folder(tmp_path / "undisturbed"), 0) == 1
    with pytest.raises(PowerCutError):
        epochs_of(Folder(tmp_path / "kept", power_until=2 * STEPS_AN_EPOCH), 0)
    assert epochs_of(Folder(tmp_path / "kept"), 2) == 1


@pytest.mark.usefixtures("walk_lake")
def test_an_incomplete_checkpoint_is_not_used(tmp_path: Path) -> None:
    client = connect()
    run = client.create_run(client.create_experiment("partial", artifact_location=(tmp_path / "store").as_uri()))
    store = RunCheckpoints(client, run.info.run_id).of("fit")
    made = []
    for step in (3, 6):
        folder = tmp_path / "made" / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "weights").write_text(f"of step {step}")
        made.append(folder)
    store.keep(made)
    stored = next((tmp_path / "store").rglob("checkpoint-6"))
    (stored / "weights").write_text("half of it")
    store.fetch(tmp_path / "fetched")
    assert sorted(path.name for path in (tmp_path / "fetched").iterdir()) == ["checkpoint-3"]
    store.keep(made[1:])
    assert [path.name for path in stored.parent.glob("checkpoint-?")] == ["checkpoint-6"]


def test_a_nan_loss_ends_the_training_and_keeps_the_batch(walk: Split, tmp_path: Path) -> None:
    model = Transformer(width=16, max_length=16, learning_rate=1e38)
    model.checkpoints = store = Folder(tmp_path)
    with pytest.raises(NotFiniteError, match=r"the loss of step \d is nan"):
        model.fit(walk.fit, walk.catalog, seed=1)
    assert set(store.file) == {"item_ids", "labels", "hour", "weekday", "gap"}
    assert len(store.file["labels"]) == 16
