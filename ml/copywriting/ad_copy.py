"""The facts of an ad, and the copy written from them."""

from dataclasses import dataclass

HEADLINE_LENGTH = 60

BODY_LENGTH = 200


@dataclass(frozen=True)
class AdFacts:
    """All facts that an ad may use. ``liked`` is the item of the user's history that the model finds most similar, if any."""

    title: str
    year: int | None = None
    categories: tuple[str, ...] = ()
    liked: str | None = None


@dataclass(frozen=True)
class Copy:
    """The text of an ad."""

    headline: str
    body: str
