"""A blend of recipes: what counting is sure of and what the network has seen in it, weighted by validation."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from ml.data import Cases, Catalog, Interactions
from ml.models.base import Library, Log, Recommender, Scores, read_config, write_config

MEMBERS = ("cooccurrence", "transformer")
STEPS = 20
"""A weight is a multiple of one part in so many."""


def standard(scores: Scores) -> Scores:
    """Mean 0 and deviation 1 in each row."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-9), dtype=np.float32)


def log_share(scores: Scores) -> Scores:
    """Standard logarithms; a thousandth of the best is added, so that nothing is impossible."""
    positive = scores - np.minimum(scores.min(axis=1, keepdims=True), 0)
    return standard(np.log(positive + 1e-3 * np.maximum(positive.max(axis=1, keepdims=True), 1e-9)))


FORMS: dict[str, Callable[[Scores], Scores]] = {"standard": standard, "log_share": log_share}
"""How scores of recipes are made comparable. Those of the network are logarithms already and are only made standard."""


class Hybrid(Recommender):
    """score = w standard(network) + (1 - w) form(counts), w and the form chosen by validation NDCG@10."""

    name: ClassVar[str] = "hybrid"
    complexity: ClassVar[int] = 5
    seeded: ClassVar[bool] = True
    by_gradient: ClassVar[bool] = True
    handles_new_users: ClassVar[bool] = True
    handles_new_items: ClassVar[bool] = True

    def __init__(self, members: dict[str, dict[str, Any]] | None = None, form: str = "standard", weight: float = 0.5) -> None:
        from ml.models import recipe

        self._chosen: dict[str, Any] = {"members": members or {name: {} for name in MEMBERS}, "form": form, "weight": weight}
        self.members = [recipe(name)(**self._chosen["members"][name]) for name in MEMBERS]
        self.library: Library = {}
        """Where members that were fitted already are found."""

    def fit(
        self,
        train: Interactions,
        catalog: Catalog,
        *,
        seed: int,
        validation: Cases | None = None,
        log: Log | None = None,
    ) -> Self:
        """Fit both; with ``validation``, let each choose by it first, and choose the blend after them."""
        for member in self.members:
            member.checkpoints = self.checkpoints
        self.members = [
            member.fit_once(train, catalog, seed=seed, library=self.library, validation=validation, log=log)
            for member in self.members
        ]
        given = self._chosen["members"]
        self._chosen["members"] = {member.name: {**given[member.name], **member.chosen} for member in self.members}
        if validation is not None and len(validation):
            self._chosen["form"], self._chosen["weight"] = self._best_blend(validation)
        return self

    def _best_blend(self, cases: Cases, batch_size: int = 256) -> tuple[str, float]:
        """Form and weight with the best NDCG@10; both members are asked once."""
        from ml.evaluate import ndcg_of, rank_of_target
        from ml.top import leave_out

        weights = np.arange(STEPS + 1) / STEPS
        ranks = {(form, weight): np.empty(len(cases), dtype=np.int64) for form in FORMS for weight in weights}
        for first in range(0, len(cases), batch_size):
            part = slice(first, first + batch_size)
            histories, times = cases.histories[part], None if cases.times is None else cases.times[part]
            counts, network = (member.scores(histories, times) for member in self.members)
            network = standard(network)
            for form, comparable in FORMS.items():
                plain = comparable(counts)
                for weight in weights:
                    scores = blend(plain, network, weight)
                    leave_out(scores, histories)
                    ranks[form, weight][part] = rank_of_target(scores, cases.target[part])
        return max(ranks, key=lambda choice: ndcg_of(ranks[choice], cases))

    def scores(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None = None,
    ) -> Scores:
        counts, network = (member.scores(histories, times) for member in self.members)
        return blend(FORMS[self._chosen["form"]](counts), standard(network), self._chosen["weight"])

    def similar(self, item: int, candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        return np.asarray(self.similar_to([item], candidates)[0], dtype=np.float32)

    def similar_to(self, items: Sequence[int], candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        """The members' likeness, each divided by an item's largest, weighted."""
        parts = [member.similar_to(items, candidates) for member in self.members]
        counts, network = (part / np.maximum(np.abs(part).max(axis=1, keepdims=True, initial=0.0), 1e-9) for part in parts)
        return blend(counts, network, self._chosen["weight"])

    def save(self, directory: Path) -> None:
        write_config(directory, self.name, self.settings)
        for member in self.members:
            member.save(directory / member.name)

    @classmethod
    def load(cls, directory: Path) -> Self:
        model = cls(**read_config(directory)["settings"])
        model.members = [type(member).load(directory / member.name) for member in model.members]
        return model

    @property
    def settings(self) -> dict[str, Any]:
        return self._chosen | {"members": {member.name: member.settings for member in self.members}}

    @property
    def chosen(self) -> dict[str, Any]:
        return dict(self._chosen)


def blend(counts: Scores, network: Scores, weight: float) -> Scores:
    return np.asarray((1 - weight) * counts + weight * network, dtype=np.float32)
