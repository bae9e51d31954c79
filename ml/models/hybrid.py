"""A blend of recipes: what a network has seen, what people alike like, what counting is sure of, weighted by validation."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from ml.compute.distributed import is_first
from ml.data.cases import Cases
from ml.data.catalog import Catalog
from ml.data.interactions import Interactions
from ml.models.base import Library, Log, Recommender, Scores, read_config, write_config

MEMBERS = ("transformer", "als", "cooccurrence", "markov")
STEPS = 20
"""A share is a multiple of one part in so many."""


def standard(scores: Scores) -> Scores:
    """Mean 0 and deviation 1 in each row."""
    return standardised(scores.astype(np.float32))


def log_share(scores: Scores) -> Scores:
    """Standard logarithms; a thousandth of the best is added, so that nothing is impossible."""
    positive = scores - np.minimum(scores.min(axis=1, keepdims=True), 0)
    positive += 1e-3 * np.maximum(positive.max(axis=1, keepdims=True), 1e-9)
    return standardised(np.log(positive, out=positive))


def standardised(own: Scores) -> Scores:
    """``standard`` in place: of many items a copy more costs as much as the sums."""
    own -= own.mean(axis=1, keepdims=True)
    own /= np.maximum(np.sqrt(np.vecdot(own, own) / own.shape[1]), 1e-9)[:, None]
    return own


FORMS: dict[str, Callable[[Scores], Scores]] = {"standard": standard, "log_share": log_share}
"""How scores of recipes are made comparable. Those of the first are logarithms already and are only made standard."""


class Hybrid(Recommender):
    """score_1 = standard(first member); score_m = (1 - share) score_(m-1) + share form(member m), the last one counts.

    Members are added in turn, and share and form of each chosen by validation NDCG@10, those before it held (as in forward
    stagewise regression: Hastie, Tibshirani and Friedman, 2009). ``blend`` names them in that order, the first left out:
    ``[{"member": ..., "form": ..., "share": ...}]``.
    """

    name: ClassVar[str] = "hybrid"
    complexity: ClassVar[int] = 5
    seeded: ClassVar[bool] = True
    by_gradient: ClassVar[bool] = True
    handles_new_users: ClassVar[bool] = True
    handles_new_items: ClassVar[bool] = True

    def __init__(self, members: dict[str, dict[str, Any]] | None = None, blend: list[dict[str, Any]] | None = None) -> None:
        from ml.models.recipes import recipe

        members = members or {name: {} for name in MEMBERS}
        if blend is None:
            added = list(members)[1:]
            blend = [{"member": name, "form": "standard", "share": 1 / place} for place, name in enumerate(added, 2)]
        added = [part["member"] for part in blend]
        (first,) = members.keys() - set(added)
        self._chosen: dict[str, Any] = {"members": members, "blend": blend}
        self.members = [recipe(name)(**members[name]) for name in (first, *added)]

    def fit(
        self,
        train: Interactions,
        catalog: Catalog,
        *,
        seed: int,
        validation: Cases | None = None,
        log: Log | None = None,
    ) -> Self:
        """Fit all; with ``validation``, let each choose by it first, and choose the blend after them.

        Of the processes that share a training only the first has the whole; the others take part where a network learns.
        """
        library: Library = {} if self.library is None else self.library
        for place, member in enumerate(self.members):
            if is_first() or member.by_gradient:
                member.checkpoints = self.checkpoints
                self.members[place] = member.fit_once(
                    train, catalog, seed=seed, library=library, validation=validation, log=log
                )
        given = self._chosen["members"]
        self._chosen["members"] = {member.name: {**given[member.name], **member.chosen} for member in self.members}
        if is_first() and validation is not None and len(validation):
            for added in range(len(self.members) - 1):
                self._choose(added, validation)
        return self

    def _choose(self, added: int, cases: Cases, batch_size: int = 256) -> None:
        """Form and share of one member with the best NDCG@10, the members before it blended as they are."""
        from ml.models.rank import leave_out, ndcg_of, rank_of_target

        member, parts = self.members[1 + added], self._chosen["blend"]
        shares = [step / STEPS for step in range(STEPS + 1)]
        ranks = {(form, share): np.empty(len(cases), dtype=np.int64) for form in FORMS for share in shares}
        for first in range(0, len(cases), batch_size):
            part = slice(first, first + batch_size)
            histories, times = cases.histories[part], None if cases.times is None else cases.times[part]
            before, scores = self._blended(histories, times, added), member.scores(histories, times)
            for form, comparable in FORMS.items():
                plain = comparable(scores)
                for share in shares:
                    blended = mixed(before, plain, share)
                    leave_out(blended, histories)
                    ranks[form, share][part] = rank_of_target(blended, cases.target[part])
        form, share = max(ranks, key=lambda choice: ndcg_of(ranks[choice], cases))
        blend = [*parts[:added], {"member": member.name, "form": form, "share": share}, *parts[added + 1 :]]
        self._chosen = self._chosen | {"blend": blend}

    def _blended(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None,
        added: int | None = None,
    ) -> Scores:
        """The scores of the first member and so many more, or all."""
        scores = standard(self.members[0].scores(histories, times))
        for member, part in list(zip(self.members[1:], self._chosen["blend"], strict=True))[:added]:
            scores = mixed(scores, FORMS[part["form"]](member.scores(histories, times)), part["share"])
        return scores

    def scores(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None = None,
    ) -> Scores:
        return self._blended(histories, times)

    def similar(self, item: int, candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        return np.asarray(self.similar_to([item], candidates)[0], dtype=np.float32)

    def similar_to(self, items: Sequence[int], candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        """The members' likeness, each divided by an item's largest, weighted."""
        likeness = likeness_of(self.members[0], items, candidates)
        for member, part in zip(self.members[1:], self._chosen["blend"], strict=True):
            likeness = mixed(likeness, likeness_of(member, items, candidates), part["share"])
        return likeness

    def save(self, directory: Path) -> None:
        write_config(directory, self.name, self.settings)
        for member in self.members:
            member.save(directory / member.name)

    @classmethod
    def load(cls, directory: Path) -> Self:
        settings = read_config(directory)["settings"]
        if "weight" in settings:  # champions from when a blend was one of two
            counts = {"member": "cooccurrence", "form": settings["form"], "share": 1 - settings["weight"]}
            settings = {"members": settings["members"], "blend": [counts]}
        model = cls(**settings)
        model.members = [type(member).load(directory / member.name) for member in model.members]
        return model

    @property
    def settings(self) -> dict[str, Any]:
        return self._chosen | {"members": {member.name: member.settings for member in self.members}}

    @property
    def chosen(self) -> dict[str, Any]:
        return dict(self._chosen)


def mixed(before: Scores, added: Scores, share: float) -> Scores:
    out = (1 - share) * before
    out += share * added
    return out


def likeness_of(member: Recommender, items: Sequence[int], candidates: npt.NDArray[np.integer[Any]]) -> Scores:
    part = member.similar_to(items, candidates)
    return np.asarray(part / np.maximum(np.abs(part).max(axis=1, keepdims=True, initial=0.0), 1e-9), dtype=np.float32)
