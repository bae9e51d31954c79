"""Whether recommendations are due: is there a champion, and a day with profiles that it has not served yet?

A scheduler asks often, so this is quick: the champion comes from MLflow's REST API, days and versions from the lake's
metadata. It imports neither PyTorch nor MLflow.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from ml.tracking.rest import champion_version
from schemas.lake.commits import Commit
from schemas.lake.lake import Lake, open_lake
from schemas.runtime.cli import parser_of
from schemas.runtime.mlflow_rest import CHAMPION
from schemas.runtime.settings import get_settings


def newest_publish(lake: Lake, table: str, served_on: date) -> Commit | None:
    """The newest commit that published a day of a table; None before the first.

    Args:
        lake: holds the table.
        table: its name.
        served_on: the day.
    """
    return lake.current_commits(table).get(served_on.isoformat())


def has_copy(lake: Lake, recommended: Commit, served_on: date) -> bool:
    """Whether the day's ad copy was written for these recommendations, rather than for earlier ones.

    Args:
        lake: holds ``creatives``.
        recommended: the commit that published the recommendations.
        served_on: day of the recommendations.
    """
    copied = newest_publish(lake, "creatives", served_on)
    read = None if copied is None else copied.inputs.get("recommendations")
    return read is not None and lake.sequence("recommendations", read) >= recommended.sequence_number


def decide(newest_profiles: date | None, champion: str | None, served: str | None, copied: bool) -> dict[str, Any]:
    """Decide whether recommendations are due, and why.

    Args:
        newest_profiles: the newest day with profiles; None if there is none.
        champion: the present champion's version, None without one.
        served: the version that made the recommendations for the day after ``newest_profiles``, None without any.
        copied: whether these recommendations have ad copy.

    >>> decide(date(1998, 4, 22), "3", "3", True)["due"]
    False
    >>> decide(date(1998, 4, 22), "4", "3", True)["why"]
    'recommendations for 1998-04-23 are by version 3, and @champion is 4'
    """
    day = None if newest_profiles is None else newest_profiles + timedelta(days=1)
    if day is None:
        due, why = False, "no profiles are published yet"
    elif champion is None:
        due, why = False, f"no version is @{CHAMPION}"
    elif served == champion and not copied:
        due, why = True, f"recommendations for {day} by version {champion} have no ad copy yet"
    elif served == champion:
        due, why = False, f"recommendations for {day} by version {champion} exist already"
    elif served is None:
        due, why = True, f"nothing is recommended for {day} yet"
    else:
        due, why = True, f"recommendations for {day} are by version {served}, and @{CHAMPION} is {champion}"
    return {"due": due, "served_on": None if day is None else day.isoformat(), "version": champion, "why": why}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Say whether recommendations are due, for which day and by which version."""
    parser_of(
        "Say whether recommendations are due, for which day and by which version of the model.", "python -m ml.recommend_due"
    ).parse_args(argv)
    settings = get_settings()
    lake = open_lake(settings)
    days = lake.partitions("profiles", "as_of")
    newest = days[-1] if days else None
    served_on = None if newest is None else newest + timedelta(days=1)
    recommended = None if served_on is None else newest_publish(lake, "recommendations", served_on)
    served = None if recommended is None else str(recommended.notes.get("model_version"))
    copied = recommended is not None and served_on is not None and has_copy(lake, recommended, served_on)
    return decide(newest, champion_version(settings), served, copied)


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
