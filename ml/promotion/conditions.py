"""The gate's conditions on a challenger's evidence, in order, each with the value that was found.

The gate refuses at the first condition that fails; the report of the evidence shows all of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml.evaluation.slices import NEW, PROTECTED
from ml.promotion.evidence_types import Evidence, Lead, ModelEvidence, SliceLead, read_evidence

MARGIN = 0.01
"""Largest accepted loss of NDCG@10 in a protected slice."""
FEWEST_USERS = 10
"""A slice with fewer users is not judged."""
AGAIN = "run `python -m ml.register_challenger` for its training again"
TRIED = (
    "its run is finished and still exists",
    "it has a signature and an input example",
    "its files are those that were tested",
    "the snapshots that it was trained on still exist",
    "the registered model loads, recommends, and is small and quick enough",
)
"""The gate's further conditions, on the registered model itself."""


@dataclass(frozen=True)
class Condition:
    """One condition. ``broken`` is the reason why it fails, empty if it holds; ``remedy`` is the action to take then."""

    asks: str
    found: str = ""
    broken: str = ""
    remedy: str = ""


def conditions(
    version: str, stored: Mapping[str, Any], champion: str | None, champion_digest: str | None
) -> Iterator[Condition]:
    """The conditions in order; they end early at a failure that makes the rest meaningless.

    Args:
        version: the challenger's version.
        stored: the evidence of :mod:`ml.register_challenger`, as JSON gave it.
        champion: the present champion's version, None without one.
        champion_digest: digest of the champion's model.
    """
    evidence, lacking = read_evidence(stored)
    yield Condition("the evidence is complete", "", f"its evidence lacks {', '.join(lacking)}" if lacking else "", AGAIN)
    if evidence is None:
        return
    yield _another_model(version, evidence, champion, champion_digest)
    yield Condition(
        "the best recipe is personalised",
        evidence.recipe,
        "popularity was the best of its training, so nothing in it is personalised" if evidence.recipe == "popularity" else "",
        "train on more data, or find out why no recipe beats it",
    )
    if evidence.recipe == "popularity":
        return
    yield _beats_popularity(evidence.models)
    yield _no_baseline_is_better(evidence.models)
    yield from _against_champion(evidence, champion)


def _another_model(version: str, evidence: Evidence, champion: str | None, champion_digest: str | None) -> Condition:
    same = ""
    if champion is not None and champion == version:
        same = "it is the champion"
    elif champion is not None and champion_digest == evidence.digest:
        same = f"it is the same model as the champion, version {champion}"
    return Condition("it differs from the champion", f"files {evidence.digest[:12]}", same, "there is nothing to promote")


def _lead_over(recipe: str, models: Mapping[str, ModelEvidence]) -> Lead | None:
    return models[recipe].lead if recipe in models else None


def _beats_popularity(models: Mapping[str, ModelEvidence]) -> Condition:
    asks, lead = "it beats popularity", _lead_over("popularity", models)
    if lead is None:
        return Condition(asks, "", "its evidence lacks the comparison with popularity", AGAIN)
    broken = f"it does not beat popularity ({told(lead)})" if lead.difference <= 0 else ""
    return Condition(asks, told(lead), broken, "train on more data, or another recipe")


def _no_baseline_is_better(models: Mapping[str, ModelEvidence]) -> Condition:
    leads = {name: row.lead for name, row in models.items() if row.lead is not None}
    asks = "no other recipe is significantly better"
    if not leads:
        return Condition(asks)
    closest = min(leads, key=lambda name: leads[name].high)
    broken = f"{closest} is better ({told(leads[closest])})" if leads[closest].high < 0 else ""
    return Condition(asks, f"over {closest}: {told(leads[closest])}", broken, f"find out why, or promote {closest}")


def _against_champion(evidence: Evidence, champion: str | None) -> Iterator[Condition]:
    rival = evidence.champion
    compared = (None if rival is None else rival.version) == champion
    yield Condition(
        "it is compared with the present champion",
        "no champion yet" if champion is None else f"version {champion}",
        "" if compared else f"its evidence does not compare it with the champion, version {champion}",
        AGAIN,
    )
    if not compared:
        return
    if rival is None:
        # Every batch run gives new users popular items, with any recipe (``ml.inference.cold_start``).
        served = [name for name in PROTECTED if name != NEW]
        yield _no_slice_is_worse("popularity", _lead_over("popularity", evidence.models), served)
        return
    until = rival.train_until
    seen = until is None or until > evidence.train_until
    yield Condition(
        "the champion was not fitted on the test data",
        f"it was fitted until {until}",
        f"the champion was fitted until {until}, and so has seen some of the test data" if seen else "",
        f"train until {until} or later",
    )
    lead = rival.lead
    broken = f"it does not beat the champion, version {champion} ({told(lead)})" if lead.difference <= 0 else ""
    yield Condition("it beats the champion", told(lead), broken, "the champion stays")
    yield _no_slice_is_worse("the champion", lead)


def _no_slice_is_worse(rival: str, lead: Lead | None, protected: Sequence[str] = PROTECTED) -> Condition:
    asks = f"it is not significantly worse than {rival}, by more than {MARGIN}, for a protected slice"
    if lead is None or lead.slices is None:
        return Condition(asks, "", f"its evidence lacks the comparison with {rival} by slice", AGAIN)
    parts = {name: lead.slices[name] for name in protected if name in lead.slices}
    large = {name: part for name, part in parts.items() if part.users >= FEWEST_USERS}
    worse = [name for name, part in large.items() if part.difference < -MARGIN and part.high < 0]
    broken = ", and ".join(
        f"for the slice {name.replace('_', ' ')} ({large[name].users:.0f} users, {told(large[name])})" for name in worse
    )
    decided = ", ".join(name.replace("_", " ") for name in large) or f"none has {FEWEST_USERS} users"
    remedy = "find out why, or train another recipe"
    return Condition(asks, decided, f"it is worse than {rival} {broken}" if broken else "", remedy)


def told(lead: SliceLead) -> str:
    """A lead in words.

    >>> told(SliceLead(difference=0.01, low=-0.02, high=0.04))
    'test NDCG@10 +0.0100, 95 % interval -0.0200 to +0.0400'
    """
    return f"test NDCG@10 {lead.difference:+.4f}, 95 % interval {lead.low:+.4f} to {lead.high:+.4f}"
