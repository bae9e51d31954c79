"""Passwords never appear in messages: the one function through which a URI, or a text that may hold one, is shown."""

import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

MASK = "***"
URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(\S*)")
PARAMETER = re.compile(r"([?&;])([^?&;=\s]+)=([^&\s]*)")
ASSIGNED = re.compile(r"(?i)\b((?:ssl)?passw(?:or)?d|pwd)(\s*=\s*)(?!\*\*\*)[^\s&,;]+")
"""A password in a connection string of libpq (https://www.postgresql.org/docs/current/libpq-connect.html, 33.1.1)."""
SECRET_NAME = re.compile(r"(?i)passw|pass$|pwd|secret|token|key$|credential|signature|^sig$|auth")
SECRET_VARIABLE = re.compile(r"(?:PASSWORD|PASSWD|PWD|SECRET|TOKEN|KEY|CREDENTIALS?)$")
"""The last word of an environment variable that holds a secret; the path of a file with a secret is none."""
OURS = ("CLICKWRIGHT_", "MLFLOW_", "AIRFLOW_", "AWS_", "PG")
"""Prefixes of the environment variables in which secrets are looked for."""
SHORTEST_SECRET = 6
"""Shorter secrets are only masked where they stand in a URI; elsewhere they would be found in ordinary words."""


def shown(text: str) -> str:
    """A text for people, without the passwords of its URIs and without the secrets of this process's environment.

    A password may hold characters that a URI forbids, so everything up to the last ``@`` belongs to it.

    >>> shown("postgresql://lake:s3cret@db/lake"), shown("postgresql://lake:s3/c@ret@db/lake")
    ('postgresql://lake:***@db/lake', 'postgresql://lake:***@db/lake')
    >>> shown("at postgresql://lake@db/lake?connect_timeout=2&password=s3cret; start it")
    'at postgresql://lake@db/lake?connect_timeout=2&password=*** start it'
    >>> shown("https://t0ken@mlflow.example/")
    'https://***@mlflow.example/'
    """
    for secret in sorted(set(_secrets_of_environment()), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return ASSIGNED.sub(rf"\1\2{MASK}", URI.sub(_masked, text))


def shown_values(value: Any) -> Any:
    """A result or the fields of a log line, with :func:`shown` applied to every text in it.

    >>> shown_values({"at": ["http://ann:s3cret@mlflow/"], "n": 1})
    {'at': ['http://ann:***@mlflow/'], 'n': 1}
    """
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {key: shown_values(one) for key, one in value.items()}
    return [shown_values(one) for one in value] if isinstance(value, list | tuple) else value


def without_parts(text: str, uri: str) -> str:
    """A message of a driver, without any part of a URI's password: a driver that splits the URI elsewhere shows only a part.

    Args:
        text: the message.
        uri: the URI that the driver was given.

    >>> without_parts("unknown host cret@db", "postgresql://lake:s3@cret@db/lake")
    'unknown host ***@db'
    """
    for secret in _passwords(uri):
        for part in sorted({secret, *re.split(r"[/@:?#&;=]", secret)}, key=len, reverse=True):
            text = text.replace(part, MASK) if len(part) > 2 else text
    return shown(text)


def without_login(url: str) -> str:
    """A URL for a link that people follow: without user name and password.

    >>> without_login("http://ann:s3/cret@mlflow:5000/"), without_login("http://mlflow:5000")
    ('http://mlflow:5000/', 'http://mlflow:5000')
    """
    scheme, found, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if found else url


def _masked(found: re.Match[str]) -> str:
    scheme, rest = found[1], found[2]
    login, at, place = rest.rpartition("@")
    user, colon, _ = login.partition(":")
    if at and colon:
        rest = f"{user}:{MASK}@{place}"
    elif at and scheme.lower().startswith("http") and "/" not in login:  # a token
        rest = f"{MASK}@{place}"
    return f"{scheme}://{PARAMETER.sub(_masked_parameter, rest)}"


def _masked_parameter(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}={MASK}" if SECRET_NAME.search(unquote(found[2])) else found[0]


def _passwords(uri: str) -> Iterator[str]:
    """The passwords of a URI, as they are written and decoded."""
    found = URI.match(uri)
    if found is None:
        return
    login, _, _ = found[2].rpartition("@")
    given = [login.partition(":")[2]]
    given += [value for _, name, value in PARAMETER.findall(uri) if SECRET_NAME.search(unquote(name))]
    for password in given:
        yield from {password, unquote(password)} - {""}


def _secrets_of_environment() -> Iterator[str]:
    for name, value in os.environ.items():
        if not name.startswith(OURS):
            continue
        held = [value.strip()] if SECRET_VARIABLE.search(name) else _passwords(value)
        yield from (secret for secret in held if len(secret) >= SHORTEST_SECRET)
