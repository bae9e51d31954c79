"""A hybrid: the weighted scores of a network, a matrix factorisation and counting models; validation chooses the weights."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from ml.compute.distributed import is_rank_zero
from ml.data.cases import Cases
from ml.data.catalog import Catalog
from ml.data.interactions import Interactions
from ml.models.base import FittedModels, Log, Recommender, Scores, read_config, write_config

MEMBERS = ("transformer", "als", "cooccurrence", "markov")
STEPS = 20
"""Shares are multiples of 1 / STEPS; of twice that in a training of little effort."""


def standard(scores: Scores) -> Scores:
    """Scale each row to mean 0 and standard deviation 1.

    >>> standard(np.array([[1.0, 3.0]], dtype=np.float32))
    array([[-1.,  1.]], dtype=float32)
    """
    return standardised(scores.astype(np.float32))


def log_share(scores: Scores) -> Scores:
    """Standardised logarithms; a thousandth of the best score is added, so that a score of 0 stays finite."""
    positive = scores - np.minimum(scores.min(axis=1, keepdims=True), 0)
    positive += 1e-3 * np.maximum(positive.max(axis=1, keepdims=True), 1e-9)
    return standardised(np.log(positive, out=positive))


def standardised(own: Scores) -> Scores:
    """``standard`` in place: with many items another copy costs as much as the sums."""
    own -= own.mean(axis=1, keepdims=True)
    own /= np.maximum(np.sqrt(np.vecdot(own, own) / own.shape[1]), 1e-9)[:, None]
    return own


FORMS: dict[str, Callable[[Scores], Scores]] = {"standard": standard, "log_share": log_share}
"""Ways to make scores of recipes comparable. The first member's scores are logarithms already and are only standardised."""


class Hybrid(Recommender):
    """score_1 = standard(first member); score_m = (1 - share) score_(m-1) + share form(member m), for the members in turn.

    Validation NDCG@10 chooses share and form of each member, with those before it fixed (as in forward stagewise regression:
    Hastie, Tibshirani and Friedman, 2009). ``blend`` lists all members except the first in that order:
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
        """Fit all members; with ``validation``, tune each member and then the blend.

        In distributed training only rank 0 fits every member; the other ranks join only where a network is trained.

        Args:
            train, catalog, seed, log: passed to every member.
            validation: queries to tune on; None keeps the given settings.
        """
        library: FittedModels = {} if self.library is None else self.library
        for place, member in enumerate(self.members):
            if is_rank_zero() or member.by_gradient:
                member.checkpoints, member.quick = self.checkpoints, self.quick
                self.members[place] = member.fit_once(
                    train, catalog, seed=seed, library=library, validation=validation, log=log
                )
        given = self._chosen["members"]
        self._chosen["members"] = {member.name: {**given[member.name], **member.chosen} for member in self.members}
        if is_rank_zero() and validation is not None and len(validation):
            for added in range(len(self.members) - 1):
                self._choose(added, validation)
        return self

    def _choose(self, added: int, cases: Cases, batch_size: int = 256) -> None:
        """Choose form and share of one member by NDCG@10; the blend of the members before it is fixed."""
        from ml.models.rank import mask_seen, ndcg_of, rank_of_target

        member, parts = self.members[1 + added], self._chosen["blend"]
        steps = STEPS // 2 if self.quick else STEPS
        shares = [step / steps for step in range(steps + 1)]
        ranks = {(form, share): np.empty(len(cases), dtype=np.int64) for form in FORMS for share in shares}
        for first in range(0, len(cases), batch_size):
            part = slice(first, first + batch_size)
            histories, times = cases.histories[part], None if cases.times is None else cases.times[part]
            before, scores = self._blended(histories, times, added), member.scores(histories, times)
            for form, comparable in FORMS.items():
                plain = comparable(scores)
                for share in shares:
                    blended = mixed(before, plain, share)
                    mask_seen(blended, histories)
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
        """The blended scores of the first member and the next ``added`` ones, or of all."""
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
        """The blend of the members' similarities, each divided by its largest for an item.

        Args:
            items: indices of the items to recommend, ``[A]``.
            candidates: indices of items in a history, ``[C]``.
        """
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
        if "weight" in settings:  # the older format of champions, for two members
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
    """(1 - share) before + share added.

    Args:
        before, added: scores, ``[B, I]``.
        share: 0 to 1.

    >>> mixed(np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0]], np.float32), share=0.25)
    array([[0.75, 0.25]], dtype=float32)
    """
    out = (1 - share) * before
    out += share * added
    return out


def likeness_of(member: Recommender, items: Sequence[int], candidates: npt.NDArray[np.integer[Any]]) -> Scores:
    """``similar_to`` of a member, divided by the largest absolute value of each item.

    Args:
        member: fitted.
        items, candidates: item indices.
    """
    part = member.similar_to(items, candidates)
    return np.asarray(part / np.maximum(np.abs(part).max(axis=1, keepdims=True, initial=0.0), 1e-9), dtype=np.float32)
