"""Checkpoints of a long fit among the artifacts of its run, so that it can resume, even on another machine."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import mlflow.artifacts
from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from schemas.runtime.cli import log

FOLDER = "checkpoints"
MARK = ".json"
"""Suffix of the file with a checkpoint's digests. It is written last, so a checkpoint without it is incomplete."""


class RunCheckpoints:
    """Checkpoints among the artifacts of an MLflow run; a process that resumes the run finds them."""

    def __init__(self, client: MlflowClient, run_id: str, fit: str = "") -> None:
        self.client, self.run_id = client, run_id
        self.path = f"{FOLDER}/{fit}".rstrip("/")

    def of(self, fit: str) -> "RunCheckpoints":
        """The checkpoints of one of the run's fits."""
        return RunCheckpoints(self.client, self.run_id, fit)

    def fetch(self, folder: Path) -> None:
        """Download the complete checkpoints to ``folder``."""
        for name in self._whole():
            downloaded = mlflow.artifacts.download_artifacts(run_id=self.run_id, artifact_path=f"{self.path}/{name}")
            mark = self.client.download_artifacts(self.run_id, f"{self.path}/{name}{MARK}")
            if digests(Path(downloaded)) == json.loads(Path(mark).read_text(encoding="utf-8")):
                shutil.copytree(downloaded, folder / name, dirs_exist_ok=True)
                log.info("resumes from a checkpoint", checkpoint=name, run_id=self.run_id)
            else:
                log.warning("skips an incomplete checkpoint", checkpoint=name, run_id=self.run_id)

    def keep(self, checkpoints: Sequence[Path]) -> None:
        """Upload new checkpoints, then delete all that are not among ``checkpoints``."""
        there = self._whole()
        for checkpoint in checkpoints:
            if checkpoint.name not in there:
                self.client.log_artifacts(self.run_id, str(checkpoint), f"{self.path}/{checkpoint.name}")
                with tempfile.TemporaryDirectory() as scratch:
                    mark = Path(scratch) / f"{checkpoint.name}{MARK}"
                    mark.write_text(json.dumps(digests(checkpoint)), encoding="utf-8")
                    self.client.log_artifact(self.run_id, str(mark), self.path)
        kept = {checkpoint.name for checkpoint in checkpoints}
        for name in self._names() - kept:
            self._delete(f"{self.path}/{name}{MARK}")
            self._delete(f"{self.path}/{name}")

    def keep_file(self, path: Path) -> None:
        """Upload one file."""
        self.client.log_artifact(self.run_id, str(path), self.path)

    def clear(self) -> None:
        """Delete all checkpoints, once the fit is done."""
        self._delete(self.path)

    def _entries(self) -> list[str]:
        return [Path(entry.path).name for entry in self.client.list_artifacts(self.run_id, self.path)]

    def _names(self) -> set[str]:
        return {name.removesuffix(MARK) for name in self._entries() if name.startswith("checkpoint-")}

    def _whole(self) -> list[str]:
        entries = self._entries()
        return [name for name in entries if name.startswith("checkpoint-") and f"{name}{MARK}" in entries]

    def _delete(self, path: str) -> None:
        get_artifact_repository(self.client.get_run(self.run_id).info.artifact_uri).delete_artifacts(path)  # type: ignore[no-untyped-call]


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file by its name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
