"""Pseudonyms: keyed hashes of raw user ids (HMAC-SHA-256, RFC 2104). A person has the same pseudonym on every day.

A key that was rotated is a chain of keys. The first hashes the raw id; every later one permutes the pseudonym. Whoever knows
the first key alone cannot compute pseudonyms, and with all keys a pseudonym can be traced back to the one before a rotation.
So the suppression list, which holds no raw id, stays in force (:func:`schemas.privacy.suppression_list.digest_of`).
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from schemas.privacy.number_ids import exact_id
from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import Settings, get_settings

PSEUDONYM = re.compile(r"[0-9a-f]{64}")
SHOWN = 8
CHAIN = b"rotated:"
"""Prefix of a chain of keys; after it come the keys in hexadecimal digits, the oldest first."""
HALF = 16
ROUNDS = 4


def pseudonym(key: bytes, raw_user_id: str) -> str:
    """The pseudonym of a user, 64 hex digits. It cannot be computed without the key.

    Args:
        key: the secret key.
        raw_user_id: the user id of the source.

    >>> pseudonym(b"key", "anna")[:16]
    'd27d461c645c7ca8'
    """
    first, *later = keys_of(key)
    name = hmac.digest(first, raw_user_id.encode(), "sha256")
    for one in later:
        name = _permuted(one, name)
    return name.hex()


def fingerprint(key: bytes) -> str:
    """A text that tells keys apart, and from which a key cannot be computed: half of an HMAC of a fixed text.

    >>> fingerprint(b"key")
    'b2df9098425bb7378eeb7b326a8bdbcd'
    """
    return hmac.digest(key, b"fingerprint\x1fof the key of the pseudonyms", "sha256")[:HALF].hex()


def rotated(key: bytes, fresh: bytes) -> bytes:
    """The key after a rotation: the chain of the present key and a fresh one.

    Args:
        key: the present key.
        fresh: the fresh key.

    >>> rotated(rotated(b"a", b"b"), b"c")
    b'rotated:61:62:63'
    """
    return CHAIN + b":".join(one.hex().encode() for one in (*keys_of(key), fresh))


@cache
def keys_of(key: bytes) -> tuple[bytes, ...]:
    """The keys of a chain, the oldest first; a key that was never rotated is the only one.

    >>> keys_of(b"rotated:61:62"), keys_of(b"key")
    ((b'a', b'b'), (b'key',))
    """
    if not key.startswith(CHAIN):
        return (key,)
    return tuple(bytes.fromhex(one.decode()) for one in key.removeprefix(CHAIN).split(b":"))


def first_name(key: bytes, name: str) -> str:
    """The pseudonym that the oldest key of a chain gave to the person of a pseudonym.

    Args:
        key: the secret key.
        name: a pseudonym made with it.

    >>> chain = rotated(b"key", b"fresh")
    >>> first_name(chain, pseudonym(chain, "anna")) == pseudonym(b"key", "anna")
    True
    """
    _, *later = keys_of(key)
    if not later:
        return name
    content = bytes.fromhex(name)
    for one in reversed(later):
        content = _permuted_back(one, content)
    return content.hex()


def _permuted(key: bytes, name: bytes) -> bytes:
    """A keyed permutation of 32 bytes: a Feistel network of four rounds of HMAC.

    It cannot be told from a random permutation without the key (Luby and Rackoff 1988, "How to construct pseudorandom
    permutations from pseudorandom functions", SIAM Journal on Computing 17(2)).
    """
    left, right = name[:HALF], name[HALF:]
    for number in range(ROUNDS):
        left, right = right, _mixed(key, number, left, right)
    return left + right


def _permuted_back(key: bytes, name: bytes) -> bytes:
    left, right = name[:HALF], name[HALF:]
    for number in reversed(range(ROUNDS)):
        left, right = _mixed(key, number, right, left), left
    return left + right


def _mixed(key: bytes, number: int, changed: bytes, by: bytes) -> bytes:
    mask = hmac.digest(key, b"rotation\x1f%d\x1f" % number + by, "sha256")
    return bytes(a ^ b for a, b in zip(changed, mask[:HALF], strict=True))


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
        here = settings.has_pseudonym_key
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
    """The pseudonym of a user who is given by a pseudonym or by a raw id, written as ``jobs.clean`` writes it.

    Args:
        user: a pseudonym or a raw id.
        settings: the settings, with the key of the pseudonyms.
    """
    return user if PSEUDONYM.fullmatch(user) else pseudonym(settings.pseudonym_secret(), exact_id(user)[0] or user)
