"""How settings are chosen by validation: one after the other, the others held (coordinate ascent)."""

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
    """The best model found, round after round until nothing gets better.

    Args:
        model: fitted; where the search begins.
        search: values to try of each setting.
        changed: a model like one that is given, but for the value of one setting.
        judged: how good a model is, higher is better.
        rounds: at most so many times through all settings.
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
