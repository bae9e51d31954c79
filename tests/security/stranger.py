"""Another user of this machine: code that runs as `nobody`, in a child of this process."""

import json
import os
import pwd
import traceback
from collections.abc import Callable
from typing import Any

import pytest

NOBODY = "nobody"


def needs_root() -> None:
    """Fail without root: a skip would hide that nothing was attacked."""
    if os.geteuid() != 0:
        pytest.fail("only root may run code as another user; run `make test-security` as root, in a container of its own")


def as_nobody(act: Callable[[], Any]) -> Any:
    """What a function returns when `nobody` calls it. JSON must be able to represent it.

    The child may read nothing of this user, so the function must not import anything. A user name space would not do: files
    keep their owner in it, so the child would read them. So this needs root, and fails without it.
    """
    needs_root()
    user = pwd.getpwnam(NOBODY)
    ours, theirs = os.pipe()
    if (child := os.fork()) == 0:
        os.close(ours)
        try:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            answer = {"result": act()}
        except BaseException:
            answer = {"error": traceback.format_exc()}
        os.write(theirs, json.dumps(answer).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        said = json.loads(pipe.read())
    os.waitpid(child, 0)
    assert "error" not in said, said["error"]
    return said["result"]
