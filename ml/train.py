"""Train recipes on a pinned training's data, evaluate them, and log each as an MLflow run.

For each recipe: fit before the validation window, decide by validation; refit on everything before ``train_until`` with nothing
decided again; save, load, and test the very model that was saved. A finished run of the same training, recipe and code is kept;
one that was cut off goes on, where a network had begun to learn from its newest checkpoint.

With ``CLICKWRIGHT_TRAIN_PROCESSES`` above 1, or under ``torchrun --standalone --nproc-per-node N -m ml.train``, processes share
the training of a network; the first of them does everything else.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ml.compute.distributed import from_first, is_first, together
from ml.compute.threads import share_the_machine
from ml.training.run import checked, expect_encoder, help_to_train, summary, train_one
from schemas.runtime.cli import log, run_id_default
from schemas.runtime.settings import get_settings
from schemas.runtime.version import code_version

if TYPE_CHECKING:
    from ml.data.splits import Split
    from ml.models.base import Library


def train(run: str, recipes: list[str]) -> dict[str, Any]:
    """Train ``recipes`` for a pinned training; returns for each its MLflow run and headline figures."""
    share_the_machine()
    from ml.data.splits import read_split
    from ml.models import recipe
    from ml.tracking.runs import connect, finished_runs
    from ml.training.pinned_data import read_pin
    from schemas.lake.lake import open_lake

    for name in recipes:
        recipe(name)  # an unknown one fails now, not after an hour
    settings, pinned = get_settings(), read_pin(run)
    expect_encoder(pinned)
    client = connect(settings)
    finished = {
        name: found.info.run_id
        for name, found in finished_runs(client, settings, pinned["training"]).items()
        if found.data.tags.get("clickwright.code_version") == code_version()
    }
    kept: dict[str, str] = from_first(finished)  # others may look when the first has finished one more
    results: dict[str, Any] = {}
    split: Split | None = None
    library: Library = {}
    for name in recipes:
        if name in kept:
            log.info("kept: this recipe was trained on this data by this code", recipe=name, run_id=kept[name])
            results[name] = summary(client.get_run(kept[name])) | {"reused": True}
            continue
        if split is None:
            split = checked(read_split(open_lake(), pinned), pinned)
        if is_first():
            results[name] = train_one(client, settings, pinned, name, split, library) | {"reused": False}
        elif recipe(name).by_gradient:
            help_to_train(client, pinned["seed"], name, split, library)
    return {"training": pinned["training"], "recipes": results}


def train_together(processes: int, argv: Sequence[str]) -> None:
    """Become ``torchrun`` with so many processes of this command, of which the first one speaks."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "--local-ranks-filter=0"]
    os.execv(sys.executable, [sys.executable, *torchrun, "-m", "--", "ml.train", *argv])


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Train the recipes of a pinned training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default=run_id_default(), help="name of the training run, as given to ml.pin")
    parser.add_argument(
        "--recipes",
        default="popularity,markov,item_knn,content,cooccurrence,als,transformer,hybrid",
        help="comma-separated recipes (default: all)",
    )
    arguments = parser.parse_args(argv)
    if get_settings().train_processes > 1 and not together():
        train_together(get_settings().train_processes, list(sys.argv[1:] if argv is None else argv))
    recipes = [name.strip() for name in arguments.recipes.split(",") if name.strip()]
    if not recipes:
        parser.error("--recipes names none")
    return train(arguments.run, recipes)


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
