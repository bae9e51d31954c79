"""Models that were logged before the modules of `ml` and `schemas` moved into folders can still be loaded.

`model_of_flat_layout.tar.xz` is a `markov` model as the last commit of the flat layout logged it, code included.
"""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from ml.models import load_recommender

ROOT = Path(__file__).resolve().parents[3]
ARCHIVE = Path(__file__).with_name("model_of_flat_layout.tar.xz")
ASK = """
import json, mlflow, pandas, sys
model = mlflow.pyfunc.load_model(sys.argv[1])
print(json.dumps(model.predict(pandas.DataFrame({"history": [["i01"], ["i00", "i01"]]}), params={"k": 2})["items"].tolist()))
"""
PROJECT_FIRST = "import ml.models, ml.data.catalog, ml.training.fit, schemas.runtime.settings\n" + ASK


@pytest.fixture
def old_model(tmp_path: Path) -> Path:
    """The folder of the unpacked model."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path / "model", filter="data")
    return tmp_path / "model"


@pytest.mark.slow
@pytest.mark.parametrize("script", [ASK, PROJECT_FIRST], ids=["model first", "project first"])
def test_pyfunc_serves_a_model_of_the_flat_layout(old_model: Path, script: str) -> None:
    done = subprocess.run([sys.executable, "-c", script, str(old_model)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [["i02", "i03"], ["i02", "i03"]]


def test_batch_inference_loads_a_model_of_the_flat_layout(old_model: Path) -> None:
    model, item_ids = load_recommender(old_model / "artifacts" / "rec")
    assert item_ids == ["i00", "i01", "i02", "i03", "i04", "i05"]
    (scores,) = model.scores([[1]])  # type: ignore[list-item]
    assert item_ids[int(scores.argmax())] == "i02"
