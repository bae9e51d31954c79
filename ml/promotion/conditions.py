"""What the gate asks of a challenger's evidence, one condition after the other, each with what was found.

The gate refuses at the first that is not met; the report of the evidence shows them all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ml.evaluation.slices import NEW, PROTECTED

PIECES = (
    "recipe",
    "run_id",
    "digest",
    "train_until",
    "snapshots",
    "code_version",
    "cases",
    "users",
    "models",
    "champion",
)
MARGIN = 0.01
"""So much NDCG@10 may be lost in a protected segment."""
FEWEST_USERS = 10
"""With fewer a segment decides nothing."""
AGAIN = "run `python -m ml.register_challenger` for its training again"
TRIED = (
    "its run is finished and still there",
    "signature and input example are there",
    "its files are those that were tested",
    "the snapshots that it was trained on still exist",
    "the registered model loads, recommends, and is small and quick enough",
)
"""What the gate asks besides, of the registered model itself."""


@dataclass(frozen=True)
class Condition:
    """One thing that is asked. ``broken`` says why it is not met, and ``remedy`` what to do then; empty where it is met."""

    asks: str
    found: str = ""
    broken: str = ""
    remedy: str = ""


def conditions(
    version: str, evidence: dict[str, Any], champion: str | None, champion_digest: str | None
) -> Iterator[Condition]:
    """The conditions in their order. After one without which the rest means nothing, there are no more.

    Args:
        version: the challenger's version.
        evidence: what :mod:`ml.register_challenger` gathered.
        champion: the version that is champion now, None when there is none.
        champion_digest: the digest of its model.
    """
    lacking = [p for p in PIECES if p not in evidence or (evidence[p] in (None, "", {}) and p != "champion")]
    yield Condition("the evidence is whole", "", f"its evidence lacks {', '.join(lacking)}" if lacking else "", AGAIN)
    if lacking:
        return
    yield _another_model(version, evidence, champion, champion_digest)
    yield Condition(
        "the best recipe is a personal one",
        evidence["recipe"],
        "popularity was the best of its training, so there is nothing personal in it"
        if evidence["recipe"] == "popularity"
        else "",
        "train on more data, or look at why no recipe beats it",
    )
    if evidence["recipe"] == "popularity":
        return
    yield _beats_popularity(evidence["models"])
    yield _no_baseline_is_better(evidence["models"])
    yield from _against_champion(evidence, champion)


def _another_model(version: str, evidence: dict[str, Any], champion: str | None, champion_digest: str | None) -> Condition:
    same = ""
    if champion is not None and champion == version:
        same = "it is the champion"
    elif champion is not None and champion_digest == evidence["digest"]:
        same = f"it is the same model as the champion, version {champion}"
    return Condition(
        "it is another model than the champion", f"files {evidence['digest'][:12]}", same, "there is nothing to promote"
    )


def _beats_popularity(models: dict[str, Any]) -> Condition:
    asks, lead = "it beats popularity", models.get("popularity", {}).get("lead")
    if lead is None:
        return Condition(asks, "", "its evidence lacks the comparison with popularity", AGAIN)
    broken = f"it does not beat popularity ({told(lead)})" if lead["difference"] <= 0 else ""
    return Condition(asks, told(lead), broken, "train on more data, or another recipe")


def _no_baseline_is_better(models: dict[str, Any]) -> Condition:
    leads = {name: row["lead"] for name, row in models.items() if row.get("lead") is not None}
    asks = "no other recipe is surely better"
    if not leads:
        return Condition(asks)
    closest = min(leads, key=lambda name: leads[name]["high"])
    broken = f"{closest} is better ({told(leads[closest])})" if leads[closest]["high"] < 0 else ""
    return Condition(asks, f"over {closest}: {told(leads[closest])}", broken, f"look at why, or promote {closest}")


def _against_champion(evidence: dict[str, Any], champion: str | None) -> Iterator[Condition]:
    rival = evidence["champion"]
    compared = (None if rival is None else rival["version"]) == champion
    yield Condition(
        "it is compared with the champion of today",
        "there is none" if champion is None else f"version {champion}",
        "" if compared else f"its evidence does not compare it with the champion, version {champion}",
        AGAIN,
    )
    if not compared:
        return
    if rival is None:
        # Who is new gets what is popular every night, whatever the recipe (``ml.inference.cold_start``).
        served = [name for name in PROTECTED if name != NEW]
        yield _nobody_pays("popularity", evidence["models"].get("popularity", {}).get("lead") or {}, served)
        return
    until = rival["train_until"]
    seen = until is None or until > evidence["train_until"]
    yield Condition(
        "the champion has not seen the answers",
        f"it was fitted until {until}",
        f"the champion was fitted until {until}, and so has seen some of the answers" if seen else "",
        f"train until {until} or later",
    )
    lead = rival["lead"]
    broken = f"it does not beat the champion, version {champion} ({told(lead)})" if lead["difference"] <= 0 else ""
    yield Condition("it beats the champion", told(lead), broken, "the champion stays")
    yield _nobody_pays("the champion", lead)


def _nobody_pays(rival: str, lead: dict[str, Any], protected: Sequence[str] = PROTECTED) -> Condition:
    asks = f"it is not surely worse than {rival}, by more than {MARGIN}, for a protected segment"
    if "segments" not in lead:
        return Condition(asks, "", f"its evidence lacks the comparison with {rival} by segment", AGAIN)
    parts = {name: lead["segments"][name] for name in protected if lead["segments"].get(name)}
    large = {name: part for name, part in parts.items() if part["users"] >= FEWEST_USERS}
    worse = [name for name, part in large.items() if part["difference"] < -MARGIN and part["high"] < 0]
    broken = ", and ".join(
        f"for the segment {name.replace('_', ' ')} ({large[name]['users']:.0f} users, {told(large[name])})" for name in worse
    )
    decided = ", ".join(name.replace("_", " ") for name in large) or f"none has {FEWEST_USERS} users"
    remedy = "look at why, or train another recipe"
    return Condition(asks, decided, f"it is worse than {rival} {broken}" if broken else "", remedy)


def told(lead: dict[str, float]) -> str:
    return f"test NDCG@10 {lead['difference']:+.4f}, 95 % interval {lead['low']:+.4f} to {lead['high']:+.4f}"
