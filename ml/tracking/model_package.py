"""Logs the model of a run as a pyfunc, with the code that it needs to be served."""

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import mlflow
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array, DataType

from ml.data.catalog import Catalog
from ml.tracking.registry import ARTIFACT
from schemas.runtime.settings import ROOT

SERVING_MODEL = Path(__file__).with_name("pyfunc.py")
CODE = ("ml/__init__.py", "ml/compute", "ml/data", "ml/metrics", "ml/models", "schemas/__init__.py", "schemas/runtime")
"""The part of this project that a logged model needs to load and predict; it is logged with the model."""
REQUIREMENTS = (
    *("accelerate", "mlflow", "numpy", "pandas", "pyarrow", "pydantic-settings", "safetensors", "scipy", "structlog", "torch"),
    "transformers",
)


def log_model(folder: Path, digest: str, catalog: Catalog) -> str:
    """Log the model of the active run as a pyfunc; returns its URI.

    Args:
        folder: of the saved model.
        digest: of that folder.
        catalog: the items that the model knows; the first ones make the input example.
    """
    import pandas as pd

    signature = ModelSignature(
        inputs=Schema([ColSpec(Array(DataType.string), name="history")]),
        outputs=Schema([ColSpec(Array(DataType.string), name="items")]),
        params=ParamSchema([ParamSpec("k", DataType.integer, default=10)]),
    )
    example = pd.DataFrame({"history": [catalog.item_ids[:2], catalog.item_ids[2:5]]})
    with tempfile.TemporaryDirectory() as scratch:
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(SERVING_MODEL),
            artifacts={ARTIFACT: str(folder)},
            code_paths=copy_code(Path(scratch)),
            signature=signature,
            input_example=example,
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
            metadata={"digest": digest, "titles": len(catalog)},
        )
    return str(info.model_uri)


def copy_code(folder: Path) -> list[str]:
    """Copy the project code that a logged model needs; returns the folders of the packages."""
    for name in CODE:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return [str(folder / package) for package in sorted({name.split("/")[0] for name in CODE})]
