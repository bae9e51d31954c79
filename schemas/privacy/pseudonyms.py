"""Pseudonyms: keyed hashes of raw user ids (HMAC-SHA-256, RFC 2104). A person has the same pseudonym on every day."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from pathlib import Path

from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import Settings, get_settings

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


@dataclass(frozen=True)
class NamedKey:
    """The key of the pseudonyms by its name, for work that is sent to other processes.

    What Spark sends to its tasks lies in blocks of memory, in files and in messages. So it names the key by its folder and a
    digest, and each process reads the key itself: from CLICKWRIGHT_PSEUDONYM_KEY, or from that folder.
    """

    var: Path
    """The folder of all state, in which ``secrets`` lies."""
    sha256: str

    @classmethod
    def of(cls, settings: Settings) -> "NamedKey":
        """Name the key of some settings."""
        return cls(settings.var, _name(settings.pseudonym_secret()))

    def read(self) -> bytes:
        """The key, as this process finds it.

        Raises:
            ConfigError: this process has no key, or another one than the process that sent the work.
        """
        settings = get_settings().model_copy(update={"var": self.var})
        here = settings.pseudonym_key is not None or (settings.secrets / "pseudonym.key").exists()
        key = settings.pseudonym_secret() if here else b""
        if not here or _name(key) != self.sha256:
            raise ConfigError(
                f"this process has {'another' if here else 'no'} key of the pseudonyms; in {settings.secrets} or "
                "CLICKWRIGHT_PSEUDONYM_KEY; give every node of the cluster the key of the driver"
            )
        return key


def _name(key: bytes) -> str:
    return hashlib.sha256(b"clickwright key of pseudonyms\x1f" + key).hexdigest()


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
