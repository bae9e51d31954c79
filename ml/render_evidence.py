"""Write the page of a challenger's evidence again, from its training's folder.

``python -m ml.render_evidence --run RUN --out evidence.html``
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml.promotion.report import FILE, learning_curves, render
from schemas.runtime.cli import log, parser_of, run_id_default
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import get_settings


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write the page of a training's evidence to a file.

    Raises:
        ClickwrightError: the training has no evidence yet.
    """
    from ml.data.pinned_data import training_folder
    from ml.tracking.registry import newest_with
    from ml.tracking.runs import connect

    parser = parser_of(__doc__, "python -m ml.render_evidence --run spring --out evidence.html")
    parser.add_argument("--run", default=run_id_default(), help="name of the training run, as given to ml.pin")
    parser.add_argument("--out", type=Path, default=Path(FILE), help="default: %(default)s")
    arguments = parser.parse_args(argv)
    path = training_folder(arguments.run) / "evidence.json"
    if not path.exists():
        raise ClickwrightError(
            f"training {arguments.run} has no evidence; no {path}; run `python -m ml.register_challenger` for it first"
        )
    settings, evidence = get_settings(), json.loads(path.read_text(encoding="utf-8"))
    client = connect(settings)
    version = newest_with(client, settings, "run_id", evidence["run_id"])
    number = "not registered" if version is None else str(version.version)
    write_atomically(arguments.out, render(number, evidence, learning_curves(client, evidence)))
    log.info("wrote", page=str(arguments.out))
    return {"page": str(arguments.out), "version": number}


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
