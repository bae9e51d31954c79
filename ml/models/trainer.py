"""How the network is trained: Hugging Face's Trainer on batches of like lengths, judged by validation after every epoch."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset, Sampler
from transformers import Trainer, TrainerCallback
from transformers.trainer_pt_utils import LengthGroupedSampler

from ml.models.base import Log
from ml.models.network import SequenceModel


class LikeLengths(Trainer):
    """Puts rows of like length into one batch: padding all to the longest costs several times the work."""

    def _get_train_sampler(self, train_dataset: Dataset[Any] | None = None) -> Sampler[int]:
        windows: Any = train_dataset or self.train_dataset
        sampler: Sampler[int] = LengthGroupedSampler(self.args.train_batch_size, lengths=windows.lengths)
        return sampler


class Judge(TrainerCallback):
    """After every epoch: logs, looks at validation, remembers the best weights, and says when to stop."""

    def __init__(
        self, network: SequenceModel, judged: Callable[[], float] | None, log: Log | None, *, patience: int, epochs: int
    ) -> None:
        self.network, self.judged, self.log = network, judged, log
        self.patience, self.epochs = patience, epochs
        self.best, self.best_epoch = -1.0, 0
        self.best_weights: dict[str, Tensor] | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        if self.log is not None and logs and "loss" in logs:
            self.log({"loss": logs["loss"], "learning_rate": logs["learning_rate"]}, round(state.epoch))

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        epoch = round(state.epoch)
        if self.judged is None:
            control.should_training_stop = 0 < self.epochs <= epoch
            return
        ndcg = self.judged()
        self.network.train()
        if self.log is not None:
            self.log({"validation_ndcg_at_10": ndcg}, epoch)
        if ndcg > self.best:
            self.best, self.best_epoch = ndcg, epoch
            self.best_weights = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        control.should_training_stop = epoch - self.best_epoch >= self.patience
