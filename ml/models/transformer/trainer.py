"""Trains the network with Hugging Face's Trainer: validated after every epoch, resumable after any step."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import Sampler
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.utils import SAFE_WEIGHTS_NAME
from transformers.utils.logging import disable_progress_bar

from ml.compute.distributed import broadcast, is_rank_zero, processes, together, wait_for_all
from ml.models.base import Log
from ml.models.transformer.loss import multiplies_bfloat16
from ml.models.transformer.network import SequenceModel
from ml.models.transformer.sequences import LengthBucketSampler, Windows
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import get_settings

if TYPE_CHECKING:
    from ml.models.checkpoints import Checkpoints

MEASURE = "ndcg_at_10"
BEST_AND_NEWEST = 2
BATCH_FILE = "batch.safetensors"


Judged = Callable[[], float]


class SequenceTrainer(Trainer):
    """Trainer on windows; the validation metric decides when it stops and which epoch is best."""

    def __init__(self, network: SequenceModel, windows: Windows, arguments: TrainingArguments, judged: Judged | None) -> None:
        self.judged = judged
        self.order = LengthBucketSampler(windows.lengths, arguments.train_batch_size, arguments.seed)
        # The Trainer requires an evaluation data set; ``evaluate`` ignores it and calls ``judged``.
        super().__init__(network, arguments, data_collator=as_it_is, train_dataset=windows, eval_dataset=windows)
        self.remove_callback(PrinterCallback)  # standard output is reserved for the command's result
        self.add_callback(EpochCallback(self.order))

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return self.order

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Every process evaluates all of validation, so that all make the same decisions."""
        assert self.judged is not None
        metrics = {f"eval_{MEASURE}": self.judged()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def training_step(self, model: Any, inputs: dict[str, Tensor], num_items_in_batch: Any = None) -> Tensor:
        """The Trainer's step, with a check of the loss.

        Args:
            model: the network.
            inputs: a batch of ``Windows``, int64 ``[B, L]``.
            num_items_in_batch: passed on.

        Raises:
            NotFiniteError: the loss is NaN or infinite; the batch is saved.
        """
        batch = dict(inputs)
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        if not torch.isfinite(loss):
            folder = Path(str(self.args.output_dir)) / "not_finite"
            folder.mkdir(parents=True, exist_ok=True)
            save_file({name: values.cpu().contiguous() for name, values in batch.items()}, folder / BATCH_FILE)
            raise NotFiniteError(self.state.global_step + 1, float(loss), folder / BATCH_FILE)
        return loss


def as_it_is(batch: Any) -> Any:
    """Do nothing, since ``Windows`` returns whole batches."""
    return batch


class NotFiniteError(ClickwrightError):
    """The loss is NaN or infinite."""

    def __init__(self, step: int, loss: float, batch: Path) -> None:
        super().__init__(
            f"the loss of step {step} is {loss}; in training of the transformer; "
            "lower the learning rate, or inspect the saved batch"
        )
        self.batch = batch


class EpochCallback(TrainerCallback):
    """Sets the epoch of the windows' order."""

    def __init__(self, order: LengthBucketSampler) -> None:
        self.order = order

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.order.epoch = int(state.epoch or 0)


class Progress(TrainerCallback):
    """Passes the loss and the validation metric of each epoch to a log."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        self.tell({**(logs or {}), "epoch": state.epoch})

    def tell(self, logs: dict[str, float]) -> None:
        if "loss" in logs:
            self.log({"loss": logs["loss"], "learning_rate": logs["learning_rate"]}, round(logs["epoch"]))
        elif f"eval_{MEASURE}" in logs:
            self.log({f"validation_{MEASURE}": logs[f"eval_{MEASURE}"]}, round(logs["epoch"]))


class StopAfter(TrainerCallback):
    """Stops after ``epochs`` epochs of a schedule for more."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop = 0 < self.epochs <= round(state.epoch)


class CheckpointCallback(TrainerCallback):
    """Saves every ``steps`` steps and after every epoch, and puts the checkpoints into a store."""

    def __init__(self, store: "Checkpoints", steps: int) -> None:
        self.store, self.steps = store, steps

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        steps_an_epoch = state.max_steps // state.num_train_epochs
        # At the end of an epoch the Trainer saves after validation; an earlier checkpoint would lack its result.
        if state.global_step % self.steps == 0 and state.global_step % steps_an_epoch:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        wait_for_all()  # every process has written its part
        if is_rank_zero():
            self.store.keep(sorted(Path(args.output_dir).glob("checkpoint-*"), key=step_of))


def step_of(checkpoint: Path) -> int:
    """The step of a checkpoint folder.

    >>> step_of(Path("checkpoint-40"))
    40
    """
    return int(checkpoint.name.rpartition("-")[2])


def train(
    network: SequenceModel,
    windows: Windows,
    settings: dict[str, Any],
    *,
    seed: int,
    judged: Judged | None,
    log: Log | None,
    store: "Checkpoints | None",
) -> int:
    """Train ``network`` in place; returns the epoch of its weights.

    Args:
        network: changed in place.
        windows: the training data.
        settings: of the recipe.
        seed: of all random choices.
        judged: returns the validation metric. Training stops after ``patience`` epochs without improvement and restores the
            best epoch. With None it runs for ``epochs`` epochs.
        log: receives metrics after each epoch.
        store: an interrupted training resumes from its newest checkpoint here, and ends with the same weights.

    Raises:
        NotFiniteError: the loss became NaN or infinite.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call]
    progress = Progress(log or (lambda values, epoch: None))
    stop = EarlyStoppingCallback(int(settings["patience"])) if judged else StopAfter(int(settings["epochs"]))
    with common_folder() as folder:
        trainer = SequenceTrainer(
            network, windows, training_arguments(folder, settings, seed, judged is not None, store is not None), judged
        )
        begun = None
        for callback in (progress, stop, *([CheckpointCallback(store, get_settings().checkpoint_steps)] if store else [])):
            trainer.add_callback(callback)
        if store is not None:
            begun = fetched(store, folder)
        for logs in begun.state["log_history"] if begun else ():
            progress.tell(logs)
        if begun is not None and begun.ended:
            network.load_state_dict(load_file(begun.best / SAFE_WEIGHTS_NAME), strict=False)
            return begun.best_epoch
        try:
            trainer.train(resume_from_checkpoint=str(begun.newest) if begun else None)
        except NotFiniteError as error:
            if store is not None:
                store.keep_file(error.batch)
            raise
        state = trainer.state
        return epoch_of(state.best_global_step or state.global_step, state.max_steps, state.num_train_epochs)


def training_arguments(folder: Path, settings: dict[str, Any], seed: int, judged: bool, resumable: bool) -> TrainingArguments:
    """The Trainer's arguments; the ``batch_size`` in ``settings`` is that of all processes together.

    Args:
        folder: for checkpoints.
        settings: of the recipe.
        seed: of weights and data.
        judged: whether validation chooses the best epoch.
        resumable: whether checkpoints hold the optimiser's state.
    """
    cuda = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=int(settings["max_epochs"]),
        per_device_train_batch_size=max(1, int(settings["batch_size"]) // processes()),
        gradient_accumulation_steps=int(settings["accumulation"]),
        learning_rate=settings["learning_rate"],
        weight_decay=settings["weight_decay"],
        lr_scheduler_type="linear",
        warmup_steps=int(settings["warmup_steps"]),
        max_grad_norm=1.0,
        logging_strategy="epoch",
        logging_nan_inf_filter=False,  # a NaN loss must reach the check in training_step
        eval_strategy="epoch" if judged else "no",
        save_strategy="epoch",
        save_total_limit=BEST_AND_NEWEST,
        save_only_model=not resumable,
        restore_callback_states_from_checkpoint=True,  # early stopping goes on counting
        load_best_model_at_end=judged,
        metric_for_best_model=MEASURE if judged else None,
        greater_is_better=True if judged else None,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=not cuda,
        bf16=cuda and multiplies_bfloat16(torch.device("cuda")),
        torch_compile=cuda and get_settings().compile_network,
        dataloader_pin_memory=cuda,
        ddp_backend="gloo" if together() and not cuda else None,
        ddp_find_unused_parameters=False,
        seed=seed,
        data_seed=seed,
    )


@dataclass(frozen=True)
class ResumePoint:
    """The state of an interrupted training, read from its checkpoints."""

    newest: Path
    best: Path
    """The checkpoint with the best validation metric, or the newest without validation."""
    state: dict[str, Any]
    """The content of the Trainer's state file."""

    @property
    def ended(self) -> bool:
        """Whether it was interrupted after its last step."""
        return bool(self.state["stateful_callbacks"]["TrainerControl"]["args"]["should_training_stop"])

    @property
    def best_epoch(self) -> int:
        return epoch_of(step_of(self.best), self.state["max_steps"], self.state["num_train_epochs"])


def epoch_of(step: int, max_steps: int, epochs: int) -> int:
    """The epoch that ends with a step.

    Args:
        step: optimiser steps so far.
        max_steps: steps of the whole schedule.
        epochs: epochs of the whole schedule.

    >>> epoch_of(step=40, max_steps=140, epochs=7)
    2
    """
    return round(step * epochs / max_steps)


def fetched(store: "Checkpoints", folder: Path) -> ResumePoint | None:
    """The state of an interrupted training, or None for a new one; rank 0 fetches the checkpoints.

    Args:
        store: holds the checkpoints.
        folder: where they are copied to, seen by all processes.
    """
    if is_rank_zero():
        store.fetch(folder)
    wait_for_all()
    checkpoints = sorted(folder.glob("checkpoint-*"), key=step_of)
    if not checkpoints:
        return None
    newest = checkpoints[-1]
    path = newest / TRAINER_STATE_NAME
    state = json.loads(path.read_text(encoding="utf-8"))
    best = folder / f"checkpoint-{state['best_global_step']}" if state["best_global_step"] else newest
    if state["best_global_step"]:
        state["best_model_checkpoint"] = str(best)  # it was elsewhere before
        if is_rank_zero():
            path.write_text(json.dumps(state), encoding="utf-8")
        wait_for_all()
    return ResumePoint(newest, best, state)


@contextmanager
def common_folder() -> Iterator[Path]:
    """A temporary folder that all processes share."""
    with TemporaryDirectory() as own:
        yield Path(broadcast(own))
        wait_for_all()
