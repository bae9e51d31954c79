"""What every recommender is: fitted on interactions, asked for scores of all items, saved without pickles.

Shapes: B histories, I items of the catalogue, N interactions, U users.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
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
"""Takes metrics and the step (an epoch) that they belong to."""

Library = dict[tuple[Any, ...], "Recommender"]
"""Models that were fitted in this process, by recipe, settings, data and seed. It is to live no longer than the data."""

CONFIG_FILE = "recommender.json"
WEIGHTS_FILE = "weights.safetensors"


class Recommender(ABC):
    """One recipe. A constructor takes settings, ``fit`` the data; ``chosen`` holds the settings that validation decided.

    So a model is tuned by ``tuned = Recipe().fit(train, catalog, seed=s, validation=cases)`` and then
    refitted on more data, with nothing tuned again, by ``Recipe(**tuned.chosen).fit(more, catalog, seed=s)``.
    """

    name: ClassVar[str]
    complexity: ClassVar[int]
    """Order from simple to elaborate: between two equals the simpler one is chosen."""
    seeded: ClassVar[bool] = False
    """Whether another seed gives another model."""
    probabilistic: ClassVar[bool] = False
    """Whether a softmax of the scores is the model's probability that an item is the next one; else only their order counts."""
    handles_new_users: ClassVar[bool] = False
    """Whether scores of an empty history are more than overall popularity."""
    handles_new_items: ClassVar[bool] = False
    """Whether an item that nobody has touched can be scored by what is known of it."""
    by_gradient: ClassVar[bool] = False
    """Whether its fit is long: it keeps checkpoints, and the processes of a ``torchrun`` share it."""
    checkpoints: "Checkpoints | None" = None
    """Where such a fit keeps its progress, and goes on from."""
    library: "Library | None" = None
    """Models that were fitted already; a recipe made of others finds its members there."""

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
        """Learn from ``train``; with ``validation``, decide the settings in ``chosen`` by it."""

    def fit_once(
        self,
        train: Interactions,
        catalog: Catalog,
        *,
        seed: int,
        library: "Library",
        validation: Cases | None = None,
        log: Log | None = None,
    ) -> "Recommender":
        """``fit``, or from the library the model with these settings that was fitted on these very arrays before.

        So a blend and its members, trained one after the other, are not trained twice.
        """
        settings = json.dumps(self.settings, sort_keys=True)
        origin = (self.name, settings, id(train), None if validation is None else id(validation), seed)
        if origin not in library:
            library[origin] = self.fit(train, catalog, seed=seed, validation=validation, log=log)
        return library[origin]

    @abstractmethod
    def scores(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None = None,
    ) -> Scores:
        """Scores of all items, higher is better: float32 ``[B, I]``, finite.

        Args:
            histories: per user the indices of the items, oldest first; an empty one is a new user.
            times: when known, the times of those events, microseconds since 1970 UTC.
        """

    @abstractmethod
    def similar(self, item: int, candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        """How much having met each of ``candidates`` speaks for ``item``: float32 ``[len(candidates)]``."""

    def similar_to(self, items: Sequence[int], candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        """``similar`` of several items: float32 ``[len(items), len(candidates)]``."""
        return np.array([self.similar(item, candidates) for item in items], dtype=np.float32).reshape(-1, len(candidates))

    @abstractmethod
    def save(self, directory: Path) -> None:
        """Write the model to ``directory`` as JSON and safetensors."""

    @classmethod
    @abstractmethod
    def load(cls, directory: Path) -> Self:
        """Read what ``save`` wrote."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Every setting in force, for the record of the run."""

    @property
    def chosen(self) -> dict[str, Any]:
        """The settings that validation decided, as arguments of the constructor."""
        return {}


class Factored(ABC):
    """What a recommender offers besides when its scores are a product: scores = states @ vectors.T + bias.

    Then the best items can be found without writing all scores down (``ml.inference.inner_product_search``).
    """

    @abstractmethod
    def states(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None = None,
    ) -> "Tensor":
        """What is known of each user, arguments as for ``scores``: float32 ``[B, D]``."""

    @abstractmethod
    def item_factors(self) -> tuple["Tensor", "Tensor"]:
        """Vectors ``[I, D]`` and bias ``[I]`` of the items, float32."""


def settled(name: str, defaults: dict[str, float], given: dict[str, float]) -> dict[str, float]:
    """A recipe's defaults with what was given instead.

    Raises:
        TypeError: it has no such setting.
    """
    if unknown := given.keys() - defaults.keys():
        raise TypeError(f"{name} has no setting {', '.join(sorted(unknown))}")
    return {**defaults, **given}


def write_config(directory: Path, name: str, settings: dict[str, Any]) -> None:
    """Write the file by which ``load_recommender`` knows the recipe."""
    directory.mkdir(parents=True, exist_ok=True)
    content = {"recipe": name, "settings": settings}
    (directory / CONFIG_FILE).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def read_config(directory: Path) -> dict[str, Any]:
    """The recipe's name and its settings, as ``{"recipe": ..., "settings": {...}}``."""
    config: dict[str, Any] = json.loads((directory / CONFIG_FILE).read_text())
    return config
