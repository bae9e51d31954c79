"""Record on a challenger that a person rejected it, or that nobody answered in time.

``python -m ml.reject --run RUN --by alice``. The registry keeps the answer for later readers. No alias moves, and approval of
the version may be requested again.
"""

from collections.abc import Sequence
from typing import Any

from schemas.runtime.cli import log, parser_of
from schemas.runtime.errors import Refused
from schemas.runtime.settings import get_settings


def reject(run: str, by: str) -> dict[str, Any]:
    """Record the answer on the version that a training chose.

    Args:
        run: name of the training run.
        by: the person who answered.

    Raises:
        Refused: the training has no challenger.
    """
    from ml.data.pinned_data import read_pin
    from ml.tracking.registry import of_training
    from ml.tracking.runs import connect
    from schemas.runtime.mlflow_rest import TAG

    settings = get_settings()
    client = connect(settings)
    training = read_pin(run).training
    version = of_training(client, settings, training)
    if version is None:
        raise Refused(
            f"training {training} has no challenger; in the model registry; run `python -m ml.register_challenger` for it first"
        )
    client.set_model_version_tag(settings.registered_model, version.version, f"{TAG}rejected_by", by)
    log.info("rejected", version=version.version, by=by)
    return {"version": str(version.version), "rejected_by": by}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Record that a challenger was rejected."""
    parser = parser_of(__doc__, "python -m ml.reject --run spring --by ada")
    parser.add_argument("--run", required=True, help="name of the training run whose challenger was rejected")
    parser.add_argument("--by", required=True, help="name of the person who answered; nobody after a timeout")
    arguments = parser.parse_args(argv)
    return reject(arguments.run, arguments.by)


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
