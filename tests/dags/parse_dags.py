"""Parses every DAG file and prints the result as JSON; run as a separate process with its own hash seed."""

import hashlib
import json
import sys
import time
from datetime import timedelta
from pathlib import Path

import airflow.sdk
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

FORBIDDEN = ("pyspark", "torch", "mlflow", "great_expectations", "transformers", "pandas", "pyarrow", "pyiceberg")
OURS = ("schemas", "jobs", "ml", "local")


def main() -> None:
    imported = time.process_time()
    bag = DagBag("dags")
    parsed = time.process_time()
    # With sorted keys, as Airflow stores it: their order comes from sets.
    serialised = {d: json.dumps(DagSerialization.to_dict(dag), sort_keys=True) for d, dag in bag.dags.items()}
    top = {name.partition(".")[0] for name in sys.modules}
    print(
        json.dumps(
            {
                "errors": bag.import_errors,
                "import_s": imported,
                "parse_s": parsed - imported,
                "forbidden": sorted(top & {*FORBIDDEN, *OURS}),
                "digest": {d: hashlib.sha256(text.encode()).hexdigest() for d, text in serialised.items()},
                "dags": {dag_id: describe(dag) for dag_id, dag in bag.dags.items()},
            }
        )
    )


def describe(dag: "airflow.sdk.DAG") -> dict[str, object]:
    return {
        "file": str(Path(dag.fileloc).resolve()),
        "doc": dag.doc_md,
        "description": dag.description,
        "tags": sorted(dag.tags),
        "catchup": dag.catchup,
        "on_failure": getattr(dag.on_failure_callback, "__name__", None),
        "deadlines": [
            {"hours": alert.interval / timedelta(hours=1), "callback": alert.callback.path, **alert.callback.kwargs}
            for alert in dag.deadline or []
        ],
        "params": {
            name: {"schema": param.schema, "description": param.description}
            for name, param in ((name, dag.params.get_param(name)) for name in dag.params)
        },
        "tasks": {
            task.task_id: {
                "owner": task.owner,
                "retries": task.retries,
                "backoff": task.retry_exponential_backoff,
                "timeout_s": task.execution_timeout and task.execution_timeout.total_seconds(),
                "pool": task.pool,
                "queue": task.queue,
                "trigger_rule": task.trigger_rule.value,
                "depends_on_past": task.depends_on_past,
                "downstream": sorted(task.downstream_task_ids),
                "outlets": [asset.name for asset in task.outlets],
                "module": getattr(task, "module", None),
                "job": getattr(task, "job", None),
                "writes": list(getattr(task, "writes", ())),
                "on_failure": [callback.__name__ for callback in task.on_failure_callback],
            }
            for task in dag.tasks
        },
    }


if __name__ == "__main__":
    main()
