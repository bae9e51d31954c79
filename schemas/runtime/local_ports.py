"""Whose program listens on a port of this machine: a password must not be sent to another user's program.

While a server is down, every user of the machine may listen on its port.
"""

import os
from contextlib import suppress
from pathlib import Path

from schemas.runtime.errors import ClickwrightError

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
LISTENS = "0A"
ADDRESS, STATE, USER = 1, 3, 7
"""Fields of a line of these tables (proc_net_tcp(5))."""


def listeners(port: int) -> set[int]:
    """The ids of the users whose programs listen on a port of this machine; empty also where the system does not say."""
    found = set()
    for table in TABLES:
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[STATE] == LISTENS and int(fields[ADDRESS].rpartition(":")[2], 16) == port:
                    found.add(int(fields[USER]))
    return found


def expect_own_listener(port: int, setting: str) -> None:
    """Refuse to talk to a port on which a program of another user listens.

    Args:
        port: of this machine.
        setting: that gives the port, for the message.

    Raises:
        ClickwrightError: another user's program listens there.
    """
    if others := listeners(port) - {os.getuid()}:
        raise ClickwrightError(
            f"a program of another user (id {', '.join(map(str, sorted(others)))}) listens where this user's server should; "
            f"at 127.0.0.1:{port}; no password was sent; choose another port with {setting}, then run `make up`"
        )
