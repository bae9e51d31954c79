"""A disk that is soon full: a command sees a small file system of its own at a folder, which goes with the command."""

import os
import subprocess
from pathlib import Path

import pytest

MOUNT = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"'
WAYS = [["unshare", "--user", "--map-root-user", "--mount"], ["unshare", "--mount"]]
"""A name space that anybody may make, where the kernel lets them; one that root may make."""


def on_small_disk(folder: Path, size: str) -> list[str]:
    """What to write before a command, so that at ``folder`` it finds a file system of ``size``, such as ``256m``."""
    folder.mkdir(parents=True, exist_ok=True)
    for way in WAYS if os.geteuid() == 0 else WAYS[:1]:
        inside = [*way, "sh", "-c", MOUNT, size, str(folder)]
        if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode == 0:
            return inside
    pytest.skip("nothing may be mounted here, neither in a name space of one's own nor by root: no disk can be full")
