"""Mark the model versions that were trained on erased users; the gate and a promotion then log a warning.

A version counts as trained on a user if the lake snapshots of its training held the user's rows. The next training does not
see the user, as the rows are deleted. A second run also finds versions that were registered in the meantime.

``python -m ml.mark_erased``
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.tracking.erasure_tag import ERASURE_DUE
from schemas.erasure.receipt import Receipt, read_receipt, receipts, write_receipt
from schemas.runtime.cli import log, parser_of
from schemas.runtime.errors import ConfigError, NothingToDo
from schemas.runtime.settings import Settings, get_settings

if TYPE_CHECKING:
    from mlflow import MlflowClient


def trained_on(snapshots: dict[str, int], receipt: Receipt) -> bool:
    """Whether a training on these snapshots saw the users of an erasure.

    Args:
        snapshots: snapshot id of each table.
        receipt: of the erasure.
    """
    return any(table in receipt.tables and snapshot in receipt.tables[table].snapshots for table, snapshot in snapshots.items())


def mark(client: "MlflowClient", settings: Settings, receipt: Receipt) -> list[str]:
    """Mark the versions that were trained on the users of an erasure.

    Args:
        client: of MLflow.
        settings: name the registered model.
        receipt: of the erasure.

    Returns:
        The numbers of these versions.
    """
    from ml.tracking.registry import tags_of
    from schemas.runtime.mlflow_rest import TAG

    marked = []
    for version in client.search_model_versions(f"name = '{settings.registered_model}'"):
        tags = tags_of(version)
        if trained_on(json.loads(tags.get("snapshots", "{}")), receipt):
            if ERASURE_DUE not in tags:
                client.set_model_version_tag(settings.registered_model, version.version, f"{TAG}{ERASURE_DUE}", receipt.request)
            marked.append(str(version.version))
    return sorted(marked, key=int)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Mark the versions of all erasures."""
    parser = parser_of(__doc__, "python -m ml.mark_erased")
    parser.add_argument("--receipt", type=Path, help="receipt of one erasure (default: all erasures)")
    args = parser.parse_args(argv)
    settings = get_settings()
    if args.receipt is not None and not args.receipt.is_file():
        raise ConfigError(f"no such receipt; {args.receipt}; `python -m schemas.erasure` prints the path of each receipt")
    paths = [args.receipt] if args.receipt is not None else receipts(settings)
    if not paths:
        raise NothingToDo("nobody was ever erased; there is nothing to mark")
    from ml.tracking.runs import connect  # MLflow takes seconds to import

    client, answer = connect(settings), {}
    for path in paths:
        receipt = read_receipt(path)
        answer[receipt.request] = mark(client, settings, receipt)
        write_receipt(settings, receipt.model_copy(update={"model_versions": answer[receipt.request]}))
        if answer[receipt.request]:
            log.warning("trained on erased users", request=receipt.request, versions=",".join(answer[receipt.request]))
    return {"marked": answer}


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
