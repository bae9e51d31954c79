"""Tuning by validation: one setting after the other, with the others fixed (coordinate ascent)."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from ml.models.base import Recommender

Model = TypeVar("Model", bound=Recommender)


def ascend(
    model: Model,
    search: Mapping[str, Sequence[float]],
    changed: Callable[[Model, str, float], Model],
    judged: Callable[[Model], float],
    rounds: int,
) -> Model:
    """The best model found; the search ends after a round without improvement.

    Args:
        model: fitted; the start of the search.
        search: values to try for each setting.
        changed: returns a fitted copy of a model with another value of one setting.
        judged: the score of a model, higher is better.
        rounds: the maximum number of passes through all settings.
    """
    best = judged(model)
    for _ in range(rounds):
        before = best
        for name, values in search.items():
            for value in values:
                if value == model.settings[name]:
                    continue
                other = changed(model, name, value)
                score = judged(other)
                if score > best:
                    best, model = score, other
        if best == before:
            break
    return model
