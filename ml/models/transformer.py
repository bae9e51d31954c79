"""Sequential recommender: a small causal transformer over a user's events, trained with the Hugging Face Trainer."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from scipy.sparse.linalg import svds
from torch import Tensor
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed
from transformers.utils.logging import disable_progress_bar

from ml import metrics
from ml.data import Cases, Catalog, Interactions
from ml.models.base import Log, Recommender, Scores, read_config, write_config
from ml.models.linear import pairs
from ml.models.network import SequenceConfig, SequenceModel
from ml.models.sequences import Windows, as_batch, case_windows, sequence
from ml.threads import share_the_machine

NETWORK = ("width", "layers", "heads", "max_length", "dropout", "identity_dropout")


class Transformer(Recommender):
    """Next-item prediction by a causal transformer that knows an item by its identity and its text.

    With ``validation``, training stops when NDCG@10 there has not risen for ``patience`` epochs, goes back to the best epoch,
    and ``chosen`` says how many epochs that took; a refit runs exactly that many under the same schedule.
    """

    name: ClassVar[str] = "transformer"
    complexity: ClassVar[int] = 4
    handles_new_users: ClassVar[bool] = True
    handles_new_items: ClassVar[bool] = True
    DEFAULTS: ClassVar[dict[str, float]] = {
        "width": 64,
        "layers": 2,
        "heads": 2,
        "max_length": 64,
        "dropout": 0.2,
        "identity_dropout": 0.2,
        "batch_size": 16,
        "learning_rate": 2e-3,
        "weight_decay": 0.01,
        "max_epochs": 7,
        "patience": 4,
        "epochs": 0,
        "unknown_times": 0.1,
    }

    def __init__(self, **settings: float) -> None:
        unknown = settings.keys() - self.DEFAULTS.keys()
        if unknown:
            raise TypeError(f"{self.name} has no setting {', '.join(sorted(unknown))}")
        self._settings = {**self.DEFAULTS, **settings}
        self.network: SequenceModel | None = None
        self._unit_vectors: Tensor | None = None

    def fit(
        self,
        train: Interactions,
        catalog: Catalog,
        *,
        seed: int,
        validation: Cases | None = None,
        log: Log | None = None,
    ) -> Self:
        share_the_machine()
        set_seed(seed)
        shape: dict[str, Any] = {name: self._settings[name] for name in NETWORK}
        text_width = catalog.text_embeddings.shape[1]
        network = SequenceModel(SequenceConfig(n_items=len(catalog), text_width=text_width, **shape))
        initialise(network, train, catalog)
        self.network = network
        s = self._settings
        callback = Judge(self, validation, log, patience=int(s["patience"]), epochs=int(s["epochs"]))
        with tempfile.TemporaryDirectory() as scratch:
            arguments = TrainingArguments(
                output_dir=scratch,
                num_train_epochs=int(s["max_epochs"]),
                per_device_train_batch_size=int(s["batch_size"]),
                learning_rate=s["learning_rate"],
                weight_decay=s["weight_decay"],
                lr_scheduler_type="linear",
                warmup_steps=20,
                max_grad_norm=1.0,
                logging_strategy="epoch",
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                dataloader_pin_memory=torch.cuda.is_available(),
                seed=seed,
                data_seed=seed,
            )
            dataset = Windows(train, int(s["max_length"]), len(catalog), s["unknown_times"], seed)
            trainer = Trainer(network, arguments, train_dataset=dataset, callbacks=[callback])
            trainer.remove_callback(PrinterCallback)  # standard output is for the command's result
            trainer.train()
        if callback.best_weights is not None:
            network.load_state_dict(callback.best_weights)
            self._settings["epochs"] = callback.best_epoch
        network.train(False)
        self._unit_vectors = None
        return self

    @torch.no_grad()
    def scores(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None = None,
    ) -> Scores:
        network = self._fitted()
        if not len(histories):
            return np.empty((0, network.config.n_items), dtype=np.float32)
        network.train(False)
        length, n_items = network.config.max_length, network.config.n_items
        rows = [sequence(h, None if times is None else times[i], length, n_items) for i, h in enumerate(histories)]
        batch = {name: values.to(network.device) for name, values in as_batch(rows, n_items).items()}
        return np.asarray(network(**batch).logits.cpu().numpy(), dtype=np.float32)

    @torch.no_grad()
    def validation_ndcg(self, cases: Cases, batch_size: int = 64) -> float:
        """NDCG@10 on cases, a window of them at a time: a twentieth of the cost of ``scores``, for shorter contexts."""
        from ml.evaluate import rank_of_target

        network = self._fitted().train(False)
        items_ID = network.item_vectors()
        ranks = np.zeros(len(cases), dtype=np.int64)
        windows = case_windows(cases, network.config.max_length, network.config.n_items)
        for first in range(0, len(windows), batch_size):
            part = windows[first : first + batch_size]
            batch = as_batch([window.row for window in part], network.config.n_items)
            x_BLD = network.hidden(**{k: v.to(network.device) for k, v in batch.items()}, items_ID=items_ID)
            for window, x_LD in zip(part, x_BLD, strict=True):
                places = torch.as_tensor(window.places, device=network.device)
                scores = (x_LD[places] @ items_ID.T + network.bias).float().cpu().numpy()
                histories = [cases.histories[case] for case in window.cases]
                ranks[window.cases] = rank_of_target(scores, cases.target[window.cases], histories)
        return float(metrics.mean_by_user(metrics.ndcg(ranks, 10), cases.user).mean())

    def similar(self, item: int, candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        """Cosine of the item vectors."""
        with torch.no_grad():
            if self._unit_vectors is None:  # asked for every recommendation of every user
                self._unit_vectors = torch.nn.functional.normalize(self._fitted().train(False).item_vectors(), dim=1)
            chosen = self._unit_vectors[torch.as_tensor(np.asarray(candidates), dtype=torch.int64)]
            return np.asarray((chosen @ self._unit_vectors[item]).cpu().numpy(), dtype=np.float32)

    def _fitted(self) -> SequenceModel:
        if self.network is None:
            raise ValueError("the transformer has not been fitted; call fit or load first")
        return self.network

    def save(self, directory: Path) -> None:
        write_config(directory, self.name, self.settings)
        self._fitted().save_pretrained(directory)

    @classmethod
    def load(cls, directory: Path) -> Self:
        model = cls(**read_config(directory)["settings"])
        disable_progress_bar()  # type: ignore[no-untyped-call]  # a second's load needs none
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model.network = SequenceModel.from_pretrained(directory).train(False).to(device)
        return model

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self._settings)

    @property
    def chosen(self) -> dict[str, Any]:
        return {"epochs": self._settings["epochs"]}


def initialise(network: SequenceModel, train: Interactions, catalog: Catalog) -> None:
    """Begin with what counting knows: identities from an SVD of the pair matrix of ``train``, biases from popularity."""
    n, width = len(catalog), network.config.width
    counts = np.bincount(train.item_index, minlength=n).astype(np.float64)
    with torch.no_grad():
        network.item_text.copy_(torch.as_tensor(catalog.text_embeddings))
        network.item_seen.copy_(torch.as_tensor((counts > 0).astype(np.float32)))
        network.bias.copy_(torch.as_tensor(np.log((counts + 1) / (counts.sum() + n))).float())
        network.identity.weight[:n] = torch.as_tensor(pair_vectors(train, width))


def pair_vectors(train: Interactions, width: int, window: int = 10) -> npt.NDArray[np.float32]:
    """Item vectors of mean length 1 from a truncated SVD of positive pointwise mutual information: ``[I, width]``."""
    n = len(train.items)
    together = sparse.csr_array((n, n), dtype=np.float64)
    for distance in range(1, min(window, len(train) - 1) + 1):
        earlier, later = pairs(train, distance)
        together = together + sparse.csr_array((np.full(len(earlier), distance**-0.5), (earlier, later)), shape=(n, n))
    together = sparse.coo_array(together + together.T)
    total = np.asarray(together.sum(axis=0)).ravel()
    row, column = together.coords
    smoothed = total**0.75  # Levy, Goldberg and Dagan (2015)
    pmi = np.log(together.data * smoothed.sum() / (total[row] * smoothed[column]))
    ppmi = sparse.csr_array((np.maximum(pmi, 0.0), (row, column)), shape=(n, n))
    rank = min(width, n - 1)
    vectors = np.zeros((n, width), dtype=np.float32)
    if ppmi.nnz and rank > 0:
        u, s, _ = svds(ppmi, k=rank, v0=np.ones(n))
        vectors[:, :rank] = u[:, ::-1] * np.sqrt(s[::-1])
    return vectors / max(float(np.linalg.norm(vectors, axis=1).mean()), 1e-9)


class Judge(TrainerCallback):
    """After every epoch: logs, looks at validation, remembers the best weights, and says when to stop."""

    def __init__(self, model: Transformer, validation: Cases | None, log: Log | None, *, patience: int, epochs: int) -> None:
        self.model, self.validation, self.log = model, validation, log
        self.patience, self.epochs = patience, epochs
        self.best, self.best_epoch = -1.0, 0
        self.best_weights: dict[str, Tensor] | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        if self.log is not None and logs and "loss" in logs:
            self.log({"loss": logs["loss"], "learning_rate": logs["learning_rate"]}, round(state.epoch))

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        epoch = round(state.epoch)
        if self.validation is None or len(self.validation) == 0:
            control.should_training_stop = 0 < self.epochs <= epoch
            return
        network = self.model._fitted()
        ndcg = self.model.validation_ndcg(self.validation)
        network.train()
        if self.log is not None:
            self.log({"validation_ndcg_at_10": ndcg}, epoch)
        if ndcg > self.best:
            self.best, self.best_epoch = ndcg, epoch
            self.best_weights = {k: v.detach().clone() for k, v in network.state_dict().items()}
        control.should_training_stop = epoch - self.best_epoch >= self.patience
