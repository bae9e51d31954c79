"""A training on a full disk says that the disk is full; it does not end with a signal, which reads like a lack of memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_disk import on_small_disk

COMMAND = "from schemas.runtime.cli import run_command; raise SystemExit(run_command(lambda: {} if [%s] else {}))"
WRITES = {
    "an array of the log": "__import__('ml.data.event_log').data.event_log.on_disk(2_000_000, 'i8').fill(1)",
    "torch.save": "(t := __import__('torch')).save(t.zeros(4_000_000), '{folder}/optimizer.pt')",
    "safetensors": "(t := __import__('torch'), __import__('safetensors.torch').torch.save_file("
    "dict(x=t.zeros(4_000_000)), '{folder}/model.safetensors'))",
    "numpy": "(n := __import__('numpy')).save('{folder}/a.npy', n.zeros(4_000_000))",
    "parquet": "__import__('polars').DataFrame(dict(a=__import__('numpy').random.rand(2_000_000)))"
    ".write_parquet('{folder}/a.parquet')",
    "sqlite": "(c := __import__('sqlite3').connect('{folder}/a.db'), c.execute('create table t(a)'), "
    "c.executemany('insert into t values (?)', [('x' * 1000,)] * 9000), c.commit())",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", WRITES)
def test_a_full_disk_is_reported_as_such(what: str, var: Path) -> None:
    folder = var / "scratch"
    inside = on_small_disk(folder, "4m")
    command = [sys.executable, "-c", COMMAND % WRITES[what].format(folder=folder)]
    done = subprocess.run([*inside, *command], env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: No space left on device; at "), done.stderr
    assert "free some disk space" in last
