"""Pseudonyms: raw user ids become keyed hashes (HMAC-SHA-256, RFC 2104), the same for the same person on every day."""

import hmac
import re

from schemas.runtime.settings import Settings

PSEUDONYM = re.compile(r"[0-9a-f]{64}")
SHOWN = 8


def pseudonym(key: bytes, raw_user_id: str) -> str:
    """64 hex digits that stand for a user; without the key nobody can tell for whom."""
    return hmac.digest(key, raw_user_id.encode(), "sha256").hex()


def shortened(text: str) -> str:
    """A text whose pseudonyms are cut short: enough to tell one from another, too little to look somebody up by."""
    return PSEUDONYM.sub(lambda found: f"{found[0][:SHOWN]}…", text)


def as_pseudonym(user: str, settings: Settings) -> str:
    """The pseudonym of whom somebody asks for: a pseudonym as it is, a raw id turned into one."""
    return user if PSEUDONYM.fullmatch(user) else pseudonym(settings.pseudonym_secret(), user)
