"""What a training run leaves in MLflow besides its figures: the data it saw and the model as something that can be served."""

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array, DataType

from ml.tracking.registry import ARTIFACT
from schemas.lake.snapshots import training_tag
from schemas.runtime.settings import ROOT

if TYPE_CHECKING:
    from ml.data.splits import Split
    from ml.training.fit import Fitted

SERVING_MODEL = Path(__file__).with_name("pyfunc.py")
CODE = ("ml/__init__.py", "ml/compute", "ml/data", "ml/models", "schemas/__init__.py", "schemas/runtime")
"""The part of this project that a logged model needs to be loaded and asked; it is logged with it."""
REQUIREMENTS = (
    *("accelerate", "mlflow", "numpy", "pandas", "pyarrow", "pydantic-settings", "safetensors", "scipy", "structlog", "torch"),
    "transformers",
)


class IcebergSource(DatasetSource):
    """A table of the lake at one snapshot."""

    def __init__(self, table: str, snapshot: int) -> None:
        self.table, self.snapshot = table, snapshot

    @staticmethod
    def _get_source_type() -> str:
        return "iceberg"

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return isinstance(raw_source, dict) and raw_source.keys() == {"table", "snapshot"}

    @classmethod
    def _resolve(cls, raw_source: Any) -> "IcebergSource":
        return cls(**raw_source)

    def load(self) -> Any:
        """The rows, as an Arrow table."""
        from schemas.lake.lake import open_lake

        return open_lake().arrow(self.table, snapshot=self.snapshot)

    def to_dict(self) -> dict[str, Any]:
        return {"table": self.table, "snapshot": self.snapshot}

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> "IcebergSource":
        return cls(source_dict["table"], source_dict["snapshot"])


def log_data(pinned: dict[str, Any]) -> None:
    """Name the snapshots as inputs of the active run."""
    for table, snapshot in pinned["snapshots"].items():
        source = IcebergSource(table, snapshot)
        data = MetaDataset(source, name=table, digest=str(snapshot))  # type: ignore[abstract]  # `profile` may be missing
        tags = {"train_until": pinned["train_until"], "tag": training_tag(pinned["run"])}
        mlflow.log_input(data, context="training", tags=tags)
    mlflow.log_dict(pinned, "data.json")


def log_model(fitted: "Fitted", split: "Split") -> str:
    """Log the model of the active run as a pyfunc; returns its address."""
    import pandas as pd

    signature = ModelSignature(
        inputs=Schema([ColSpec(Array(DataType.string), name="history")]),
        outputs=Schema([ColSpec(Array(DataType.string), name="items")]),
        params=ParamSchema([ParamSpec("k", DataType.integer, default=10)]),
    )
    example = pd.DataFrame({"history": [split.catalog.item_ids[:2], split.catalog.item_ids[2:5]]})
    with tempfile.TemporaryDirectory() as folder:
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(SERVING_MODEL),
            artifacts={ARTIFACT: str(fitted.folder)},
            code_paths=copy_code(Path(folder)),
            signature=signature,
            input_example=example,
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
            metadata={"digest": fitted.digest, "titles": len(split.catalog)},
        )
    return str(info.model_uri)


def copy_code(folder: Path) -> list[str]:
    """Copy what a logged model needs of this project; returns the packages."""
    for name in CODE:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return [str(folder / package) for package in sorted({name.split("/")[0] for name in CODE})]
