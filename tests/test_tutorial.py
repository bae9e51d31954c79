"""The tutorial works word by word: its blocks, in order, in one shell and in a fresh copy of the project."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tutorial.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def free_port() -> str:
    """A port that no program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Variables for a copy of the project in ``tmp_path`` with this environment; its services end with the test."""
    files = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(f"tar -c --null -T - | tar -x -C {tmp_path}", cwd=ROOT, shell=True, input=files.stdout, check=True)
    (tmp_path / ".venv").mkdir()
    for part in Path(sys.prefix).iterdir():
        (tmp_path / ".venv" / part.name).symlink_to(part)
    stamp = tmp_path / ".venv" / ".clickwright-installed"
    stamp.unlink(missing_ok=True)
    stamp.touch()  # newer than the locks: make has nothing to install
    port = free_port()
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CLICKWRIGHT_")},
        "PYTHONPATH": str(tmp_path),  # the environment may belong to another checkout
        "CLICKWRIGHT_AIRFLOW_PORT": free_port(),
        "CLICKWRIGHT_MLFLOW_PORT": port,
        "CLICKWRIGHT_MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}",
    }
    yield variables
    subprocess.run([sys.executable, "-m", "local.stack", "down"], cwd=tmp_path, env=variables, check=False)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_every_block_works_as_it_stands(tmp_path: Path, environment: dict[str, str]) -> None:
    script = "set -e\n" + "\n".join(BLOCKS)
    done = subprocess.run(
        ["bash"],
        cwd=tmp_path,
        env=environment,
        input=script,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "user_id must not be null" in done.stdout  # step 2: the one line that names nobody
    assert re.search(r"│ 1 +┆ B\d{3} +┆ [\d.]+ +┆ You (looked at|bought) “Series \d+, volume \d”", done.stdout)  # step 6
