"""Write the hashes of the files of every pinned package into lock files: ``make lock``.

A line of a lock is ``name==version``, followed by the SHA-256 hashes (pip's hash-checking mode) of those files of the version
that Python 3.11 can install on Linux (x86-64, aarch64) and macOS (arm64), or of its source where no such file exists. Hashes
that stand there already stay, so the one of a build from elsewhere (PyTorch for processors alone) can be added by hand: whoever
changes a version deletes its hashes. Comments stay where they are. uv decides which index is asked;
its name is not written.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from pathlib import Path

MACOS = {"MACOSX_DEPLOYMENT_TARGET": "14.0"}  # the oldest that PyTorch has files for
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin")
ENTRY = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[\w.+]+)(?P<rest>.*)", re.DOTALL)


def canonical(name: str) -> str:
    """A package's name as the index spells it (PyPA, names and normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lines_of(text: str) -> list[str]:
    """The comments and the entries of a lock; an entry that a backslash continues is one."""
    return text.replace("\\\n", " ").splitlines()


def hashes_of(pins: list[str], uv: str) -> dict[str, set[str]]:
    """The hashes of the files of some pinned versions, by the package's canonical name.

    Args:
        pins: ``name==version``, one for each package.
        uv: the program that asks the index.
    """
    found: dict[str, set[str]] = defaultdict(set)
    with tempfile.TemporaryDirectory() as folder:
        asked, answer = Path(folder, "pins.txt"), Path(folder, "pylock.toml")
        asked.write_text("\n".join(pins))
        for platform in PLATFORMS:
            options = ["--no-deps", "--generate-hashes", "--python-version", "3.11", "--python-platform", platform]
            command = [uv, "pip", "compile", str(asked), *options, "--format", "pylock.toml", "--quiet", "-o", str(answer)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **MACOS})
            for package in tomllib.loads(answer.read_text())["packages"]:
                files = package.get("wheels") or [package["sdist"]]
                found[canonical(package["name"])] |= {file["hashes"]["sha256"] for file in files}
    return found


def with_hashes(text: str, uv: str) -> str:
    """A lock with the hashes of all its packages.

    Args:
        text: the lock as it is.
        uv: the program that asks the index.
    """
    lines = lines_of(text)
    entries = {line: entry for line in lines if not line.startswith("#") and (entry := ENTRY.match(line))}
    found = hashes_of([f"{entry['name']}=={entry['version']}" for entry in entries.values()], uv)
    written = []
    for line in lines:
        if (entry := entries.get(line)) is None:
            written.append(line)
            continue
        kept = set(re.findall(r"sha256:([0-9a-f]{64})", entry["rest"]))
        hashes = sorted(kept | found[canonical(entry["name"])])
        written.append(" \\\n".join([f"{entry['name']}=={entry['version']}", *(f"    --hash=sha256:{one}" for one in hashes)]))
    return "\n".join(written) + "\n"


def main() -> int:
    """Write the hashes of the named lock files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uv", required=True, help="the program uv")
    parser.add_argument("files", nargs="+", type=Path, help="lock files")
    arguments = parser.parse_args()
    for file in arguments.files:
        file.write_text(with_hashes(file.read_text(), arguments.uv))
        print(f"wrote {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
