"""Limits of threads."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from ml.compute.threads import limit_threads


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.mark.parametrize("threads", [1, 2])
def test_loaded_numpy_is_limited_too(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")  # too late for a library that is loaded already
    assert np.dot([1.0], [1.0]) == 1.0
    with threadpool_limits(3, user_api="blas"):
        assert limit_threads() == threads
        assert blas_threads() == {threads}
