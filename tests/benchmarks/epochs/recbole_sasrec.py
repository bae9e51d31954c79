"""Measures epochs of RecBole's SASRec, in a separate environment: prints one JSON line.

It reads the file in RecBole's form, and leaves out each user's last two items itself.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.sequential_recommender import SASRec
from recbole.trainer import Trainer
from recbole.utils import init_seed

from tests.benchmarks.epochs.clock import Clock

SETTINGS = {
    "hidden_size": 64,
    "inner_size": 256,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dropout_prob": 0.3,
    "attn_dropout_prob": 0.3,
    "MAX_ITEM_LIST_LENGTH": 50,
    "loss_type": "CE",
    "train_neg_sample_args": None,
    "learning_rate": 1e-3,
    "USER_ID_FIELD": "user_id",
    "ITEM_ID_FIELD": "item_id",
    "TIME_FIELD": "timestamp",
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full", "group_by": "user"},
    "show_progress": False,
    "state": "ERROR",
    "seed": 7,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with <name>/<name>.inter")
    parser.add_argument("--name", required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True, help="rows per step; a row has one label")
    arguments = parser.parse_args()
    given = {
        "data_path": str(arguments.data),
        "checkpoint_dir": str(arguments.data / "saved"),
        "epochs": arguments.epochs,
        "train_batch_size": arguments.batch,
    }
    config = Config(model="SASRec", dataset=arguments.name, config_dict={**SETTINGS, **given})
    init_seed(config["seed"], config["reproducibility"])
    train, _, _ = data_preparation(config, create_dataset(config))
    clock = Clock()

    class Timed(Trainer):
        def _train_epoch(self, *positional: Any, **named: Any) -> Any:
            loss = super()._train_epoch(*positional, **named)
            clock.epoch()
            return loss

    model = SASRec(config, train.dataset).to(config["device"])
    Timed(config, model).fit(train, saved=False, show_progress=False)
    print(json.dumps(clock.told(len(train.dataset), len(train))))


if __name__ == "__main__":
    main()
