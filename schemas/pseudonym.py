"""The pseudonym of a person: a keyed hash (HMAC-SHA-256, RFC 2104) of the raw user id, the same on every day."""

import hmac


def pseudonym(key: bytes, raw_user_id: str) -> str:
    """64 hex digits that stand for a user; without the key nobody can tell for whom."""
    return hmac.digest(key, raw_user_id.encode(), "sha256").hex()
