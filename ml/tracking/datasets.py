"""The training data of a run as MLflow datasets: tables of the lake at a snapshot."""

from typing import Any

import mlflow
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.meta_dataset import MetaDataset

from ml.data.pinned_data import PinnedData
from schemas.lake.snapshots import training_tag


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


def log_data(pinned: PinnedData) -> None:
    """Log the pinned snapshots as inputs of the active run."""
    for table, snapshot in pinned.snapshots.items():
        source = IcebergSource(table, snapshot)
        data = MetaDataset(source, name=table, digest=str(snapshot))  # type: ignore[abstract]  # `profile` may be missing
        tags = {"train_until": str(pinned.train_until), "tag": training_tag(pinned.run)}
        mlflow.log_input(data, context="training", tags=tags)
    mlflow.log_dict(pinned.model_dump(mode="json"), "data.json")
