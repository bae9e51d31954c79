"""The interface of recommenders: fit on interactions, score all items, save without pickle.

Shapes: B histories, I items of the catalogue, N interactions, U users.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from ml.data.cases import Cases
from ml.data.catalog import Catalog
from ml.data.interactions import Interactions

if TYPE_CHECKING:
    from ml.models.checkpoints import Checkpoints

if TYPE_CHECKING:
    from torch import Tensor

Scores = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]
Log = Callable[[dict[str, float], int], None]
"""Receives metrics and their step (an epoch)."""

FittedModels = dict[tuple[Any, ...], "Recommender"]
"""Models fitted in this process, by recipe, settings, data and seed. It must not outlive the data, whose ids are keys."""

CONFIG_FILE = "recommender.json"
WEIGHTS_FILE = "weights.safetensors"


class Recommender(ABC):
    """One recipe: the constructor takes settings, ``fit`` takes data, ``chosen`` holds the settings that validation decided.

    ``tuned = Recipe().fit(train, catalog, seed=s, validation=cases)`` tunes a model;
    ``Recipe(**tuned.chosen).fit(more, catalog, seed=s)`` then refits it on more data without tuning.
    """

    name: ClassVar[str]
    complexity: ClassVar[int]
    """Order from simple to elaborate: of two equally good models the simpler one is chosen."""
    seeded: ClassVar[bool] = False
    """Whether the model depends on the seed."""
    probabilistic: ClassVar[bool] = False
    """Whether a softmax of the scores gives the probability that an item comes next; otherwise only their order counts."""
    handles_new_users: ClassVar[bool] = False
    """Whether scores of an empty history are more informative than popularity."""
    handles_new_items: ClassVar[bool] = False
    """Whether items without interactions are scored, by their text."""
    by_gradient: ClassVar[bool] = False
    """Whether the fit is long: it saves checkpoints, and the processes of ``torchrun`` share it."""
    quick: bool = False
    """Whether to tune in a fraction of the time (``ml.pin --effort quick``): fewer trials, fewer epochs."""
    checkpoints: "Checkpoints | None" = None
    """Where such a fit saves its progress and resumes from."""
    library: "FittedModels | None" = None
    """Fitted models, among which a hybrid finds its members."""

    @classmethod
    @contextmanager
    def ready(cls, interactions: int) -> Iterator[None]:
        """Start what several fits share and is slow to start, such as Spark; a fit without it starts its own.

        Args:
            interactions: of the largest fit.
        """
        yield

    @abstractmethod
    def fit(
        self,
        train: Interactions,
        catalog: Catalog,
        *,
        seed: int,
        validation: Cases | None = None,
        log: Log | None = None,
    ) -> Self:
        """Learn from ``train``; with ``validation``, also decide the settings in ``chosen``.

        Args:
            train: interactions to learn from.
            catalog: defines the item indices.
            seed: of all random choices.
            validation: queries to tune on; None keeps the given settings.
            log: receives metrics after each epoch, from recipes with epochs.
        """

    def fit_once(
        self,
        train: Interactions,
        catalog: Catalog,
        *,
        seed: int,
        library: "FittedModels",
        validation: Cases | None = None,
        log: Log | None = None,
    ) -> "Recommender":
        """``fit``, unless the library has a model with these settings that was fitted on the same arrays.

        So the members of a hybrid are not trained twice.

        Args:
            library: fitted models; a new one is added.
            train, catalog, seed, validation, log: as for ``fit``.
        """
        origin = self.origin(train, validation, seed)
        if origin not in library:
            library[origin] = self.fit(train, catalog, seed=seed, validation=validation, log=log)
        return library[origin]

    def origin(self, train: Interactions, validation: Cases | None, seed: int) -> tuple[Any, ...]:
        """The key of this model in a library before its fit.

        Args:
            train, validation, seed: as for ``fit``.
        """
        settings = json.dumps(self.settings, sort_keys=True)
        return self.name, settings, self.quick, id(train), None if validation is None else id(validation), seed

    @abstractmethod
    def scores(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None = None,
    ) -> Scores:
        """Scores of all items, higher is better: float32 ``[B, I]``, finite.

        Args:
            histories: item indices of each user, oldest first; empty for a new user.
            times: times of these events if known, microseconds since 1970 UTC.
        """

    @abstractmethod
    def similar(self, item: int, candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        """How strongly an interaction with each candidate speaks for ``item``: float32 ``[len(candidates)]``.

        Args:
            item: index of the item to recommend.
            candidates: indices of items in a history.
        """

    def similar_to(self, items: Sequence[int], candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        """``similar`` for several items: float32 ``[len(items), len(candidates)]``.

        Args:
            items: indices of the items to recommend.
            candidates: indices of items in a history.
        """
        return np.array([self.similar(item, candidates) for item in items], dtype=np.float32).reshape(-1, len(candidates))

    @abstractmethod
    def save(self, directory: Path) -> None:
        """Write the model to ``directory`` as JSON and safetensors."""

    @classmethod
    @abstractmethod
    def load(cls, directory: Path) -> Self:
        """Read a model from the files of ``save``."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """All settings in force, for the record of the run."""

    @property
    def chosen(self) -> dict[str, Any]:
        """The settings that validation decided, as arguments of the constructor."""
        return {}


class Factored(ABC):
    """A recommender whose scores are a product: scores = states @ vectors.T + bias.

    Its best items can be found without computing all scores (``ml.inference.inner_product_search``).
    """

    @abstractmethod
    def states(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None = None,
    ) -> "Tensor":
        """The state of each user, float32 ``[B, D]``.

        Args:
            histories, times: as for ``scores``.
        """

    @abstractmethod
    def item_factors(self) -> tuple["Tensor", "Tensor"]:
        """Vectors ``[I, D]`` and bias ``[I]`` of the items, float32."""


def settled(name: str, defaults: dict[str, float], given: dict[str, float]) -> dict[str, float]:
    """A recipe's defaults, overridden by the given settings.

    Args:
        name: of the recipe, for the message.
        defaults: all settings of the recipe.
        given: settings that override them.

    Raises:
        TypeError: the recipe has no such setting.

    >>> settled("markov", {"last": 1, "half_life": 1.0}, {"last": 3})
    {'last': 3, 'half_life': 1.0}
    """
    if unknown := given.keys() - defaults.keys():
        raise TypeError(f"{name} has no setting {', '.join(sorted(unknown))}")
    return {**defaults, **given}


def write_config(directory: Path, name: str, settings: dict[str, Any]) -> None:
    """Write ``recommender.json``, which ``load_recommender`` reads first.

    Args:
        directory: created if missing.
        name: of the recipe.
        settings: arguments of its constructor.
    """
    directory.mkdir(parents=True, exist_ok=True)
    content = {"recipe": name, "settings": settings}
    (directory / CONFIG_FILE).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_config(directory: Path) -> dict[str, Any]:
    """The recipe's name and its settings, as ``{"recipe": ..., "settings": {...}}``."""
    config: dict[str, Any] = json.loads((directory / CONFIG_FILE).read_text(encoding="utf-8"))
    return config
