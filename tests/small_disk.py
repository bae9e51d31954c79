"""A disk that is soon full: a command sees a small file system of its own at a folder, which goes with the command."""

import os
import subprocess
from pathlib import Path

import pytest

MOUNT = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"'
WAYS = [["unshare", "--user", "--map-root-user", "--mount"], ["unshare", "--mount"]]
"""A name space that anybody may make, where the kernel lets them; one that root may make."""


def on_small_disk(folder: Path, size: str) -> list[str]:
    """The words to put before a command, so that it finds a file system of ``size`` (such as ``256m``) at ``folder``.

    The disk is a real one: a tmpfs that the kernel mounts for that command alone. A limit on file sizes would raise another
    error (EFBIG), and filling a file system that others use would break them. So without the right to mount there is no such
    disk: the test is skipped on a person's machine, and fails in CI.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for way in WAYS if os.geteuid() == 0 else WAYS[:1]:
        inside = [*way, "sh", "-c", MOUNT, size, str(folder)]
        if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode == 0:
            return inside
    why = "this machine allows no mount, neither in a user name space nor by root, so no disk can be full"
    if os.environ.get("CI"):
        pytest.fail(f"{why}; CI has to run this test; give it the right to mount (CAP_SYS_ADMIN, or user name spaces)")
    pytest.skip(why)
