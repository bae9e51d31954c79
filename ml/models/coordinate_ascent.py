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


def nearby(search: Mapping[str, Sequence[float]], start: Mapping[str, float]) -> dict[str, list[float]]:
    """For each setting only the values next to where the search starts: about a third of the trials.

    Args:
        search: values to try for each setting.
        start: where the search starts.

    >>> nearby({"decay": (0.25, 0.5, 0.75, 1.0), "window": (5, 10)}, {"decay": 0.5, "window": 30})
    {'decay': [0.25, 0.75], 'window': [10]}
    """
    found = {}
    for name, values in search.items():
        below = [value for value in values if value < start[name]]
        above = [value for value in values if value > start[name]]
        found[name] = [*sorted(below)[-1:], *sorted(above)[:1]]
    return found
