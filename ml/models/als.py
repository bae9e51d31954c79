"""Matrix factorisation of implicit feedback by alternating least squares in Spark's MLlib (Hu, Koren and Volinsky, 2008).

Shapes: B histories, I items, K factors.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file
from scipy import sparse

from ml.data.cases import Cases
from ml.data.catalog import Catalog
from ml.data.interactions import Interactions
from ml.models.base import WEIGHTS_FILE, Log, Recommender, Scores, read_config, settled, write_config
from ml.models.coordinate_ascent import ascend
from ml.models.scoring import popularity, recency_weights, with_fallback
from schemas.runtime.settings import get_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TUNING_QUERIES = 2000
BLOCKS = 2
"""Spark's blocks of users and of items. With more than two the order of a sum, and so the last digit, varies between runs."""

QUICK_COMPILER = "-XX:TieredStopAtLevel=1"
"""Java option that suits jobs of seconds; the training of a long log was measured to take twice as long with it."""
SHORT_JOB = 1_000_000
"""Interactions up to which that option stays: of 100,000, start and first fit took 19 processor seconds instead of 34."""
CHECKPOINT_EVERY = 3
"""Iterations. Without checkpoints the lineage of an iteration contains all earlier ones and overflows Java's stack."""


class ALS(Recommender):
    """score = x . y_i, where the user's x minimises sum_j c_j (p_j - x . y_j)^2 + regularisation n |x|^2 over all items j.

    c_j = 1 + alpha w_j; p_j = 1 where w_j > 0, else 0; n counts the items with p_j = 1; w_j sums the user's events of j, whose
    weights halve every ``half_life`` events. Spark computes the item factors y, alternating between users and items.
    Users need not be known: x is solved for each history ("folding in"), without Spark or Java.
    """

    name: ClassVar[str] = "als"
    complexity: ClassVar[int] = 3
    seeded: ClassVar[bool] = True
    DEFAULTS: ClassVar[dict[str, float]] = {
        "rank": 16,
        "alpha": 4.0,
        "regularisation": 0.05,
        "half_life": 5.0,
        "last": 500,
        "iterations": 10,
    }
    SEARCH: ClassVar[dict[str, tuple[float, ...]]] = {
        "rank": (16, 64),
        "alpha": (4.0, 20.0),
        "regularisation": (0.01, 0.05, 0.2),
    }
    """Values to try in one round (:mod:`ml.models.coordinate_ascent`): four more fits."""

    def __init__(self, **settings: float) -> None:
        self._settings = settled(self.name, self.DEFAULTS, settings)
        self.item_factors: npt.NDArray[np.float32] = np.empty((0, 0), dtype=np.float32)
        self.popularity: Scores = np.empty(0, dtype=np.float32)
        self._products = self.item_factors, np.empty((0, 0))

    def _of_all(self) -> npt.NDArray[np.float64]:
        """The sum of y y' over all items, ``[K, K]``; the same for all users, so it is cached until the factors change."""
        if self._products[0] is not self.item_factors:
            Y = self.item_factors.astype(np.float64)
            self._products = self.item_factors, Y.T @ Y
        return self._products[1]

    def fit(
        self,
        train: Interactions,
        catalog: Catalog,
        *,
        seed: int,
        validation: Cases | None = None,
        log: Log | None = None,
    ) -> Self:
        """Factorise; with ``validation``, also search for the best settings.

        Args:
            train: interactions to factorise.
            catalog, log: not used.
            seed: of the initial factors.
            validation: queries to tune on by NDCG@10, of which at most 2000 are used; not used if ``quick``.

        Raises:
            ConfigError: Java, which Spark needs, is not installed.
        """
        self.popularity = popularity(train)
        with spark_for(len(train)) as spark:
            self._factorise(spark, train, seed)
            if validation is not None and len(validation) and not self.quick:
                self._search(spark, train, seed, validation.sample(TUNING_QUERIES))
        return self

    @classmethod
    @contextmanager
    def ready(cls, interactions: int) -> Iterator[None]:
        with spark_for(interactions):
            yield

    def _factorise(self, spark: "SparkSession", train: Interactions, seed: int) -> None:
        import pyarrow as pa
        from pyspark.ml.recommendation import ALS as SparkALS  # noqa: N811

        weights = self._weights(train.histories()).tocoo()
        user, item = weights.coords
        columns = {"user": user.astype(np.int32), "item": item.astype(np.int32), "rating": weights.data}
        estimator = SparkALS(
            rank=int(self._settings["rank"]),
            maxIter=int(self._settings["iterations"]),
            regParam=self._settings["regularisation"],
            alpha=self._settings["alpha"],
            implicitPrefs=True,
            numUserBlocks=BLOCKS,
            numItemBlocks=BLOCKS,
            seed=seed,
            checkpointInterval=CHECKPOINT_EVERY,
        )
        with checkpoints(spark):
            factors = estimator.fit(spark.createDataFrame(pa.table(columns))).itemFactors.toArrow()
        self.item_factors = np.zeros((train.n_items, estimator.getRank()), dtype=np.float32)
        self.item_factors[factors["id"].to_numpy()] = np.stack(factors["features"].to_numpy())

    def _search(self, spark: "SparkSession", train: Interactions, seed: int, cases: Cases) -> None:
        from ml.models.rank import tuning_score

        def changed(model: ALS, name: str, value: float) -> ALS:
            other = ALS(**{**model._settings, name: value})
            other.popularity = self.popularity
            other._factorise(spark, train, seed)
            return other

        def judged(model: ALS) -> float:
            return tuning_score(model, cases)

        found: ALS = ascend(self, self.SEARCH, changed, judged, rounds=1)
        self._settings, self.item_factors = found._settings, found.item_factors

    def _weights(self, histories: Sequence[npt.NDArray[np.integer[Any]]]) -> sparse.csr_array:
        """w of each history and item, ``[B, I]``."""
        s = self._settings
        return recency_weights(histories, len(self.popularity), half_life=s["half_life"], last=int(s["last"]))

    def user_factors(self, histories: Sequence[npt.NDArray[np.integer[Any]]]) -> npt.NDArray[np.float64]:
        """The x of each history, ``[B, K]``; zero for an empty one."""
        weights = self._weights(histories)
        of_all, rank = self._of_all(), self.item_factors.shape[1]
        left, right = np.empty((len(histories), rank, rank)), np.zeros((len(histories), rank, 1))
        for row in range(len(histories)):
            span = slice(weights.indptr[row], weights.indptr[row + 1])
            beyond_one = self._settings["alpha"] * weights.data[span].astype(np.float64)  # c - 1
            met = self.item_factors[weights.indices[span]].astype(np.float64)
            ridge = self._settings["regularisation"] * max(len(met), 1) * np.eye(rank)
            left[row] = of_all + (met.T * beyond_one) @ met + ridge
            right[row, :, 0] = met.T @ (1 + beyond_one)
        return np.asarray(np.linalg.solve(left, right)[:, :, 0], dtype=np.float64)

    def scores(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None = None,
    ) -> Scores:
        scores = self.user_factors(histories).astype(np.float32) @ self.item_factors.T
        return with_fallback(scores, self.popularity)

    def similar(self, item: int, candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        return np.asarray(self.similar_to([item], candidates)[0], dtype=np.float32)

    def similar_to(self, items: Sequence[int], candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        """Scores for users with one candidate as their whole history; x follows from the Sherman-Morrison formula.

        Args:
            items: indices of the items to recommend, ``[A]``.
            candidates: indices of items in a history, ``[C]``.
        """
        met, alpha = self.item_factors[np.asarray(candidates)].astype(np.float64), self._settings["alpha"]
        ridge = self._settings["regularisation"] * np.eye(met.shape[1])
        nearly = np.linalg.solve(self._of_all() + ridge, met.T).T
        alone = (1 + alpha) * nearly / (1 + alpha * (nearly * met).sum(axis=1, keepdims=True))
        return np.asarray(self.item_factors[np.asarray(items)] @ alone.T, dtype=np.float32)

    def save(self, directory: Path) -> None:
        write_config(directory, self.name, self.settings)
        save_file({"item_factors": self.item_factors, "popularity": self.popularity}, directory / WEIGHTS_FILE)

    @classmethod
    def load(cls, directory: Path) -> Self:
        model = cls(**read_config(directory)["settings"])
        tensors = load_file(directory / WEIGHTS_FILE)
        model.item_factors, model.popularity = tensors["item_factors"], tensors["popularity"]
        return model

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self._settings)

    @property
    def chosen(self) -> dict[str, Any]:
        return {name: self._settings[name] for name in self.SEARCH}


@contextmanager
def spark_for(interactions: int) -> "Iterator[SparkSession]":
    """The Spark session of this process; without one, a new session that ends with the block.

    Args:
        interactions: of the largest fit.
    """
    from schemas.spark.session import session_for_a_while

    settings = get_settings()
    if interactions > SHORT_JOB:
        options = settings.spark_driver_java_options.replace(QUICK_COMPILER, "")
        settings = settings.model_copy(update={"spark_driver_java_options": options})
    with session_for_a_while("als", settings) as spark:
        yield spark


@contextmanager
def checkpoints(spark: "SparkSession") -> Iterator[None]:
    """A temporary folder for Spark's checkpoints, visible to every node of a cluster."""
    place = get_settings().var / "spark"
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="checkpoints-", dir=place) as folder:
        spark.sparkContext.setCheckpointDir(folder)
        yield
