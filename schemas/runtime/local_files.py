"""Small local files: atomic writes, private files, safe names, and the digest of a folder."""

import hashlib
import os
import re
import secrets
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

CODE = tuple(Path(__file__).resolve().parents[2] / part for part in ("jobs", "local", "ml", "schemas"))
"""The folders with the code of commands."""


def digest(directory: Path) -> str:
    """SHA-256 over the names and contents of all files in a folder. Equal digests mean equal models."""
    total = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        name = path.relative_to(directory).as_posix()
        total.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def code_state(folders: Sequence[Path] = CODE) -> str:
    """A digest of the names, sizes and times of the files with code: equal states mean equal code.

    Args:
        folders: the folders of the files; default: those of this project.
    """
    total = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".yaml")):
        with suppress(OSError):  # a link of an editor that leads nowhere
            state = path.stat()
            total.update(f"{path}\0{state.st_mtime_ns}\0{state.st_size}\n".encode())
    return total.hexdigest()


def private_umask() -> None:
    """From now on, files and folders that this process and its children make are readable by their owner only."""
    os.umask(0o077)


def slug(run: str) -> str:
    """Turn a run's name into a folder name that is readable, and different for different runs.

    >>> slug("manual__1")
    'manual__1'
    >>> slug("a:b+c")
    'a-b-c-8aad380d'
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", run).strip("-.")[:80]
    return plain if plain == run else f"{plain}-{hashlib.sha256(run.encode()).hexdigest()[:8]}"


def escaped_name(name: str | Path) -> str:
    r"""A name in printable characters: all others, and backslashes, are escaped, so that two names never become one.

    >>> escaped_name("shop/café.jsonl"), escaped_name("a\nb"), escaped_name("\udcff"), escaped_name("a\\n")
    ('shop/café.jsonl', 'a\\nb', '\\xff', 'a\\\\n')
    """
    return "".join(c if c.isprintable() and c != "\\" else _escaped(c) for c in str(name))


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that is not UTF-8, as Python decodes names (PEP 383)
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def sqlite_uri(path: Path) -> str:
    """The URI of a SQLite file, as SQLAlchemy 2.1 reads it: percent-encoded, and a question mark begins the options.

    >>> sqlite_uri(Path("/a b/c.db")), sqlite_uri(Path("/a?%20/c.db"))
    ('sqlite:////a b/c.db', 'sqlite:////a%3F%2520/c.db')
    """
    return "sqlite:///" + str(path).replace("%", "%25").replace("?", "%3F")


def write_atomically(path: Path, text: str) -> None:
    """Write a small file atomically: a reader sees either the old content or the new content.

    Args:
        path: the file; its folder is created if needed.
        text: the new content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def random_secret() -> str:
    """64 random hexadecimal digits."""
    return secrets.token_hex(32)


def private_file(path: Path, make: Callable[[], str] = random_secret) -> str:
    """The content of a file with a secret, readable only by its owner. The first call creates it.

    Args:
        path: the file; its folder is created if needed.
        make: makes the secret.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(make())
        try:
            os.link(fresh, path)  # fails if another process was first; its secret is used then
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text(encoding="utf-8")
