"""Who was erased: a list that cleaning and publishing consult, so that nobody comes back from the landing zone or from a job.

Of each person one file is kept, named by a keyed hash of the pseudonym: with the key it says of a pseudonym that turns up
again that it is on the list, and of nobody else who that is.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import Settings, get_settings


@dataclass(frozen=True)
class Erased:
    """The list, as it was when it was read."""

    requests: Mapping[str, str]
    """Digest of a pseudonym -> the request that put it on the list."""
    key: bytes = field(repr=False)

    def among(self, pseudonyms: Iterable[str | None]) -> dict[str, str]:
        """Those of some pseudonyms that are on the list, each with its request."""
        if not self.requests:
            return {}
        digests = {name: digest_of(self.key, name) for name in set(pseudonyms) if name is not None}
        return {name: self.requests[digest] for name, digest in digests.items() if digest in self.requests}


def digest_of(key: bytes, pseudonym: str) -> str:
    """What is kept of an erased person's pseudonym."""
    return hmac.digest(key, b"erased\x1f" + pseudonym.encode(), "sha256").hex()


def read_erased(settings: Settings | None = None) -> Erased:
    """The list of the settings; empty when nobody was ever erased."""
    settings = settings or get_settings()
    requests = {path.name: path.read_text().strip() for path in settings.erased.glob("[!.]*")}
    return Erased(requests, settings.pseudonym_secret() if requests else b"")


def mark_erased(settings: Settings, pseudonym: str, request: str) -> None:
    """Put a person on the list, for good."""
    write_atomically(settings.erased / digest_of(settings.pseudonym_secret(), pseudonym), f"{request}\n")
