"""Move the alias @champion: to the challenger of a training that passed the gate, or back to an earlier version.

``--run`` promotes what the gate let pass; where the champion has changed since, nothing moves, and the result says that it was
overtaken: compare again, and ask again. ``--version`` names a version instead: that is how to roll back. The next batch run
follows the alias. Of several promotions at once exactly one moves it, on whichever machines that share the lake they run; who
moves the alias by hand in MLflow takes no turn, and counts as the last.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from schemas.lake.lock import one_at_a_time
from schemas.runtime.cli import log
from schemas.runtime.errors import Refused
from schemas.runtime.settings import get_settings


def promote(run: str | None = None, number: str | None = None) -> dict[str, Any]:
    """Make a version the champion; when it is already, nothing changes.

    Args:
        run: promote the challenger of this training, or
        number: promote this version, if it passed the gate, or was promoted before.

    Returns:
        Whether the alias ``moved``, and ``overtaken_by``: the version that became champion after the gate, which nobody has
        compared this one with.

    Raises:
        Refused: it did not pass the gate, or the champion changed while a rollback waited for another promotion.
    """
    from ml.promotion.checks import NOBODY
    from ml.tracking.erasure_tag import warn_of
    from ml.tracking.registry import CHAMPION, by_alias, numbered, of_training, tags_of
    from ml.tracking.runs import TAG, connect
    from ml.training.pinned_data import read_pin

    settings = get_settings()
    client = connect(settings)
    seen = by_alias(client, settings, CHAMPION)
    # The registry lets the last writer win, so promotions take turns, and each looks again when it is its turn.
    with one_at_a_time(settings):
        if number is not None:
            version = numbered(client, settings, number)
        else:
            training = read_pin(run or "")["training"]
            found = of_training(client, settings, training)
            if found is None:
                raise Refused(
                    f"training {training} has no challenger; in the model registry; "
                    "run `python -m ml.register_challenger` first"
                )
            version = found
        champion = by_alias(client, settings, CHAMPION)
        present = NOBODY if champion is None else str(champion.version)
        answer = {
            "version": str(version.version),
            "recipe": tags_of(version).get("recipe"),
            "previous": present,
            "overtaken_by": None,
            **warn_of(str(version.version), tags_of(version)),
        }
        if present == str(version.version):
            return answer | {"moved": False}
        tags = tags_of(version)
        was_champion = number is not None and "promoted_over" in tags
        if tags.get("gate") != "passed" and not was_champion:
            raise Refused(
                f"version {version.version} did not pass the gate; in the model registry; "
                "run `python -m ml.gate` for its training first"
            )
        if number is not None and present != (NOBODY if seen is None else str(seen.version)):
            raise Refused(
                f"version {present} became the champion in this moment; in the model registry; "
                f"if version {number} is still to be the champion, run this again"
            )
        if number is None and tags["gate_champion"] != present:
            log.warning("overtaken", version=version.version, champion=present, measured_against=tags["gate_champion"])
            return answer | {"moved": False, "overtaken_by": present}
        client.set_registered_model_alias(settings.registered_model, CHAMPION, version.version)
        client.set_model_version_tag(settings.registered_model, version.version, f"{TAG}promoted_over", present)
    log.info("promoted", version=version.version, previous=present)
    return answer | {"moved": True}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Move the alias @champion."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--run", help="name of the training run whose challenger passed the gate")
    which.add_argument("--version", help="a version that passed the gate or was promoted before, to roll back to")
    arguments = parser.parse_args(argv)
    return promote(arguments.run, arguments.version)


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
