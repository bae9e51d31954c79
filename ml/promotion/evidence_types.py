"""The types of a challenger's evidence: the gate judges them, MLflow stores them as JSON."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SliceLead(_Strict):
    """The lead in NDCG@10 over another model, with its 95 % bootstrap interval over users."""

    difference: float
    low: float
    high: float
    users: float = 0
    """Users with a query of the slice."""
    queries: int = Field(0, validation_alias=AliasChoices("queries", "questions"))
    """Evidence of earlier versions calls them questions."""


class Lead(SliceLead):
    """The lead over all queries, and in each protected slice."""

    slices: dict[str, SliceLead] | None = Field(None, validation_alias=AliasChoices("slices", "segments"))
    """By slice; slices without queries are absent. Evidence of earlier versions calls them segments."""


class _Measured(_Strict):
    """The test results that the report shows."""

    test: dict[str, float]
    intervals: dict[str, tuple[float, float]] = {}
    """Low and high end of the 95 % interval, by metric."""
    calibration: dict[str, Any] | None = None
    """See :func:`ml.promotion.evidence.calibration`."""


class ModelEvidence(_Measured):
    """A recipe of the challenger's training."""

    run_id: Text
    validation: dict[str, float]
    lead: Lead | None
    """The challenger's lead over it; None for the challenger itself."""


class ChampionEvidence(_Measured):
    """The champion at the time of the comparison."""

    version: Text
    recipe: str
    digest: str
    train_until: str | None
    """The day until which it was fitted, YYYY-MM-DD; None if unknown."""
    lead: Lead


class Evidence(_Strict):
    """All that the gate, a person or a later reader needs to judge a challenger."""

    recipe: Text
    run_id: Text
    experiment_id: str = ""
    digest: Text
    """SHA-256 over the model's files."""
    training: str = ""
    train_until: Text
    """YYYY-MM-DD."""
    valid_days: int = 0
    seed: int = 0
    snapshots: Annotated[dict[str, int], Field(min_length=1)]
    encoder: str | None = None
    code_version: Text
    cases: int
    users: int
    models: Annotated[dict[str, ModelEvidence], Field(min_length=1)]
    champion: ChampionEvidence | None
    categories: dict[str, SliceLead] = {}
    """The lead over the champion, or over popularity without one, by category of the right item."""


def read_evidence(stored: Mapping[str, Any]) -> tuple[Evidence | None, list[str]]:
    """Evidence as a type, or None and the parts that are missing or wrong.

    Args:
        stored: the evidence as JSON gave it.

    >>> read_evidence({"recipe": ""})[1][:3]
    ['recipe', 'run_id', 'digest']
    """
    try:
        return Evidence.model_validate(stored), []
    except ValidationError as error:
        return None, list(dict.fromkeys(str(found["loc"][0]) for found in error.errors()))


def in_present_words(stored: dict[str, Any]) -> dict[str, Any]:
    """Evidence with the names of this version, for pages; evidence that is not whole stays as it is.

    Args:
        stored: the evidence as JSON gave it.
    """
    evidence, _ = read_evidence(stored)
    return stored if evidence is None else evidence.model_dump(mode="json", exclude_unset=True)
