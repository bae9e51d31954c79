"""Train recipes on a pinned training's data, evaluate them, and log each as an MLflow run.

For each recipe: fit on the events before the validation window and choose settings by validation; refit with these settings on
all events before ``train_until``; save, load, and test the saved model. A finished run of the same training, recipe and code
is reused. An interrupted run is resumed; a network resumes from its newest checkpoint. Members of the hybrid that another task
of the training has fitted are not fitted again.

With ``CLICKWRIGHT_TRAIN_PROCESSES`` above 1, or under ``torchrun --standalone --nproc-per-node N -m ml.train``, several
processes train a network together; rank 0 does everything else.
"""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ml.compute.distributed import broadcast, is_rank_zero, together
from ml.compute.threads import limit_threads
from ml.training.run import checked, expect_encoder, help_to_train, summary, train_one
from schemas.runtime.cli import log, parser_of, run_id_default
from schemas.runtime.mlflow_rest import TAG
from schemas.runtime.settings import get_settings
from schemas.runtime.version import code_version

if TYPE_CHECKING:
    from ml.data.splits import Split
    from ml.models.base import FittedModels


def train(run: str, recipes: list[str]) -> dict[str, Any]:
    """Train ``recipes`` for a pinned training.

    Args:
        run: name of the training run.
        recipes: names of the recipes.

    Returns:
        For each recipe its MLflow run and headline metrics.
    """
    limit_threads()
    from ml.data.pinned_data import read_pin
    from ml.data.splits import read_split
    from ml.models import recipe
    from ml.tracking.runs import connect, finished_runs
    from ml.training.fitted_models import KeptModels
    from schemas.lake.lake import open_lake

    for name in recipes:
        recipe(name)  # an unknown name fails now, not after an hour
    settings, pinned = get_settings(), read_pin(run)
    expect_encoder(pinned)
    client = connect(settings)
    finished = {
        name: found.info.run_id
        for name, found in finished_runs(client, settings, pinned.training).items()
        if found.data.tags.get(f"{TAG}code_version") == code_version()
    }
    kept: dict[str, str] = broadcast(finished)  # other ranks could read when rank 0 has finished another run
    results: dict[str, Any] = {}
    split: Split | None = None
    library: FittedModels = {}
    for name in recipes:
        if name in kept:
            log.info("reused: this code already trained this recipe on this data", recipe=name, run_id=kept[name])
            results[name] = summary(client.get_run(kept[name])) | {"reused": True}
            continue
        if split is None:
            split = checked(read_split(open_lake(), pinned), pinned)
        if is_rank_zero():
            fitted = KeptModels(pinned, split, library)
            fitted.read()
            results[name] = train_one(client, settings, pinned, name, split, library) | {"reused": False}
            fitted.keep(name)
        elif recipe(name).by_gradient:
            help_to_train(client, pinned, name, split, library)
    return {"training": pinned.training, "recipes": results}


def train_together(processes: int, argv: Sequence[str]) -> None:
    """Replace this process by ``torchrun`` with several processes of this command; only rank 0 writes output.

    Args:
        processes: number of processes.
        argv: arguments of the command.
    """
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "--local-ranks-filter=0"]
    os.execv(sys.executable, [sys.executable, *torchrun, "-m", "--", "ml.train", *argv])


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Train the recipes of a pinned training."""
    parser = parser_of(__doc__, "python -m ml.train --run spring --recipes popularity,cooccurrence")
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
        parser.error("--recipes is empty")
    return train(arguments.run, recipes)


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
