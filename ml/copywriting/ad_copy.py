"""The facts of an ad, and the copy made from them."""

from dataclasses import dataclass

HEADLINE_LENGTH = 60

BODY_LENGTH = 200


@dataclass(frozen=True)
class Facts:
    """All that an ad may build on. ``liked`` is the item of the user's own history that the model puts nearest, if any."""

    title: str
    year: int | None = None
    categories: tuple[str, ...] = ()
    liked: str | None = None


@dataclass(frozen=True)
class Copy:
    headline: str
    body: str
