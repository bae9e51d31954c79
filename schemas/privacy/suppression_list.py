"""The suppression list of erased persons. Cleaning and publishing check it, so erased persons do not come back.

The list has one file per person, named by a keyed hash of the pseudonym. With the key, it tells whether a given pseudonym is on
the list; it does not reveal pseudonyms.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.privacy.pseudonyms import NamedKey, first_name, keys_of
from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import Settings, get_settings


@dataclass(frozen=True)
class Erased:
    """The list at the time of reading."""

    requests: Mapping[str, str]
    """The id of the request that put a person on the list, by digest of the pseudonym."""
    key: NamedKey | None
    """Read where it is needed: the list is sent to Spark's tasks. An empty list needs none."""

    def among(self, pseudonyms: Iterable[str | None]) -> dict[str, str]:
        """The given pseudonyms that are on the list, each with the id of its request."""
        if not self.requests or self.key is None:
            return {}
        key = self.key.read()
        digests = {name: digest_of(key, name) for name in set(pseudonyms) if name is not None}
        return {name: self.requests[digest] for name, digest in digests.items() if digest in self.requests}


def digest_of(key: bytes, pseudonym: str) -> str:
    """The digest of a pseudonym on the list. It follows from the first pseudonym of the person, so it survives rotations.

    Args:
        key: the key of the pseudonyms.
        pseudonym: the pseudonym.
    """
    first, *later = keys_of(key)
    digest = _digest(first, first_name(key, pseudonym))
    for one in later:
        digest = _digest(one, digest)
    return digest


def digest_after_rotation(digest: str, fresh: bytes) -> str:
    """The digest of the same person under a rotated key; it is computed without the pseudonym.

    Args:
        digest: the digest under the present key.
        fresh: the fresh key of the rotation.
    """
    return _digest(fresh, digest)


def _digest(key: bytes, text: str) -> str:
    return hmac.digest(key, b"erased\x1f" + text.encode(), "sha256").hex()


def read_erased(settings: Settings | None = None) -> Erased:
    """Read the list; it is empty if nobody was erased."""
    settings = settings or get_settings()
    requests = {path.name: path.read_text(encoding="utf-8").strip() for path in settings.erased.glob("[!.]*")}
    return Erased(requests, NamedKey.of(settings) if requests else None)


def mark_erased(settings: Settings, pseudonym: str, request: str) -> None:
    """Put a person on the list permanently.

    Args:
        settings: the settings, with the folder of the list and the key of the pseudonyms.
        pseudonym: the person's pseudonym.
        request: id of the erasure request.
    """
    write_atomically(settings.erased / digest_of(settings.pseudonym_secret(), pseudonym), f"{request}\n")
