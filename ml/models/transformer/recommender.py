"""Sequential recommender: a small causal transformer over a user's events, trained with the Hugging Face Trainer."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import set_seed
from transformers.utils.logging import disable_progress_bar

from ml.compute.threads import limit_threads
from ml.data.cases import Cases
from ml.data.catalog import Catalog
from ml.data.interactions import Interactions
from ml.models.base import Factored, Log, Recommender, Scores, read_config, settled, write_config
from ml.models.transformer.initialization import initialise
from ml.models.transformer.network import SequenceConfig, SequenceModel
from ml.models.transformer.sequences import Windows, as_batch, case_windows, sequence
from ml.models.transformer.trainer import train as trained

QUICK = {"max_epochs": 2, "patience": 1}
"""Upper limits of these settings for a training of little effort."""
NETWORK = ("width", "layers", "heads", "max_length", "dropout", "identity_dropout")


class Transformer(Recommender, Factored):
    """Next-item prediction by a causal transformer over identities and texts of items.

    With ``validation``, training stops when NDCG@10 has not improved for ``patience`` epochs and restores the best epoch;
    ``chosen`` holds that number of epochs. A refit runs exactly as many under the same schedule.
    """

    name: ClassVar[str] = "transformer"
    complexity: ClassVar[int] = 4
    seeded: ClassVar[bool] = True
    by_gradient: ClassVar[bool] = True
    probabilistic: ClassVar[bool] = True
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
        "accumulation": 1,
        "learning_rate": 2e-3,
        "weight_decay": 0.01,
        "warmup_steps": 20,
        "max_epochs": 7,
        "patience": 4,
        "epochs": 0,
        "unknown_times": 0.1,
        "start_length": 1.0,
    }

    def __init__(self, **settings: float) -> None:
        self._settings = settled(self.name, self.DEFAULTS, settings)
        self.network: SequenceModel | None = None
        self._item_vectors: Tensor | None = None
        self._unit_vectors: npt.NDArray[np.float32] | None = None

    def fit(
        self,
        train: Interactions,
        catalog: Catalog,
        *,
        seed: int,
        validation: Cases | None = None,
        log: Log | None = None,
    ) -> Self:
        """Train the network; with ``validation``, choose the number of epochs.

        Args:
            train: interactions to learn from.
            catalog: defines the item indices; its texts are encoded.
            seed: of weights, order and dropout.
            validation: queries to choose ``epochs`` on by NDCG@10.
            log: receives the loss and NDCG@10 after each epoch.
        """
        limit_threads()
        set_seed(seed)
        if self.quick:
            self._settings |= {name: min(self._settings[name], most) for name, most in QUICK.items()}
        shape: dict[str, Any] = {name: self._settings[name] for name in NETWORK}
        if not catalog.described:
            shape["identity_dropout"] = 0.0  # without texts nothing could replace a dropped identity
        text_width = catalog.text_embeddings.shape[1]
        network = SequenceModel(SequenceConfig(n_items=len(catalog), text_width=text_width, **shape))
        initialise(network, train, catalog, self._settings["start_length"])
        self.network = network
        s = self._settings
        windows = Windows(train, int(s["max_length"]), len(catalog), s["unknown_times"], seed)
        judged = None if validation is None or not len(validation) else partial(self.validation_ndcg, validation)
        epoch = trained(network, windows, s, seed=seed, judged=judged, log=log, store=self.checkpoints)
        if judged is not None:
            self._settings["epochs"] = epoch
        network.train(False)
        self._item_vectors = self._unit_vectors = None
        return self

    @torch.no_grad()
    def scores(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None = None,
    ) -> Scores:
        items_ID, bias_I = self.item_factors()
        return np.asarray((self.states(histories, times) @ items_ID.T + bias_I).cpu().numpy(), dtype=np.float32)

    @torch.no_grad()
    def states(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None = None,
    ) -> Tensor:
        network = self._fitted()
        if not len(histories):
            return torch.empty((0, network.config.width), device=network.device)
        length, n_items = network.config.max_length, network.config.n_items
        rows = [sequence(h, None if times is None else times[i], length, n_items) for i, h in enumerate(histories)]
        batch = {name: values.to(network.device) for name, values in as_batch(rows, n_items).items()}
        x_BLD = network.hidden(**batch, items_ID=self.item_factors()[0])
        return network.last(x_BLD, batch["item_ids"]).float()

    @torch.no_grad()
    def item_factors(self) -> tuple[Tensor, Tensor]:
        network = self._fitted()
        if self._item_vectors is None:  # cached, since it is the same for all users
            self._item_vectors = network.train(False).item_vectors().float()
        return self._item_vectors, network.bias.detach().float()

    @torch.no_grad()
    def validation_ndcg(self, cases: Cases, batch_size: int = 256) -> float:
        """NDCG@10 on windows of cases, for a twentieth of the cost of ``scores`` but with shorter contexts.

        Args:
            cases: sorted as :func:`case_windows` needs them.
            batch_size: windows, and queries, at a time.
        """
        from ml.models.rank import mask_seen, ndcg_of, rank_of_target

        network = self._fitted().train(False)
        items_ID = network.item_vectors()
        ranks = np.zeros(len(cases), dtype=np.int64)
        windows = sorted(
            case_windows(cases, network.config.max_length, network.config.n_items),
            key=lambda window: len(window.row["item_ids"]),
        )
        for first in range(0, len(windows), batch_size):
            part = windows[first : first + batch_size]
            batch = as_batch([window.row for window in part], network.config.n_items)
            x_BLD = network.hidden(**{k: v.to(network.device) for k, v in batch.items()}, items_ID=items_ID)
            asked = np.concatenate([window.cases for window in part])
            rows = np.repeat(np.arange(len(part)), [len(window.cases) for window in part])
            places = np.concatenate([window.places for window in part])
            for begin in range(0, len(asked), batch_size):
                chosen = slice(begin, begin + batch_size)
                scores = (x_BLD[rows[chosen], places[chosen]] @ items_ID.T + network.bias).float().cpu().numpy()
                mask_seen(scores, [cases.histories[case] for case in asked[chosen]])
                ranks[asked[chosen]] = rank_of_target(scores, cases.target[asked[chosen]])
        return ndcg_of(ranks, cases)

    def similar(self, item: int, candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        return np.asarray(self.similar_to([item], candidates)[0], dtype=np.float32)

    def similar_to(self, items: Sequence[int], candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        """Cosine of the item vectors.

        Args:
            items: indices of the items to recommend, ``[A]``.
            candidates: indices of items in a history, ``[C]``.
        """
        if self._unit_vectors is None:  # cached, since every recommendation of every user needs it
            self._unit_vectors = torch.nn.functional.normalize(self.item_factors()[0], dim=1).cpu().numpy()
        return np.asarray(self._unit_vectors[np.asarray(items)] @ self._unit_vectors[candidates].T, dtype=np.float32)

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
        disable_progress_bar()  # type: ignore[no-untyped-call]  # loading takes about a second
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model.network = SequenceModel.from_pretrained(directory).train(False).to(device)
        return model

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self._settings)

    @property
    def chosen(self) -> dict[str, Any]:
        return {"epochs": self._settings["epochs"]}
