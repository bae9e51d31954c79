"""Pseudonyms: keyed hashes of raw user ids (HMAC-SHA-256, RFC 2104). A person has the same pseudonym on every day."""

import hmac
import re

from schemas.runtime.settings import Settings

PSEUDONYM = re.compile(r"[0-9a-f]{64}")
SHOWN = 8


def pseudonym(key: bytes, raw_user_id: str) -> str:
    """The pseudonym of a user, 64 hex digits. It cannot be computed without the key.

    Args:
        key: the secret key.
        raw_user_id: the user id of the source.

    >>> pseudonym(b"key", "anna")[:16]
    'd27d461c645c7ca8'
    """
    return hmac.digest(key, raw_user_id.encode(), "sha256").hex()


def shortened(text: str) -> str:
    """Shorten all pseudonyms in a text: long enough to distinguish users, too short to look them up.

    >>> shortened("user " + "0123456789abcdef" * 4)
    'user 01234567…'
    """
    return PSEUDONYM.sub(lambda found: f"{found[0][:SHOWN]}…", text)


def as_pseudonym(user: str, settings: Settings) -> str:
    """The pseudonym of a user who is given by a pseudonym or by a raw id.

    Args:
        user: a pseudonym or a raw id.
        settings: the settings, with the key of the pseudonyms.
    """
    return user if PSEUDONYM.fullmatch(user) else pseudonym(settings.pseudonym_secret(), user)
