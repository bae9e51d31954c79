"""The columns that a mapping reads must be there: a column that no line has would be null in every event, without a word.

The files of CSV and Parquet name their columns, so a day whose files all lack one is refused before anything is read. In other
formats each line has names of its own; there a day of one source is refused if no line has a value that every event needs.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from jobs.landing.files import LandingFile
from jobs.landing.readers.names import names_of
from schemas.json_path import inside_columns
from schemas.runtime.errors import Refused
from schemas.source import NEEDED, Source
from schemas.source_parts import Column

SHOWN = 20
"""Names of a file that a message shows."""


def expect_columns(files: Iterable[LandingFile], sources: Mapping[str, Source]) -> None:
    """Check that for each column of a mapping at least one file has it. The files are opened until all are found.

    Args:
        files: the landing files of a day.
        sources: source name -> mapping.

    Raises:
        Refused: no file has a column of the mapping.
    """
    lacking = {name: _needed(source) for name, source in sources.items()}
    example: dict[str, tuple[LandingFile, list[str]]] = {}
    for file in files:
        if not lacking[file.source] or file.problem is not None:
            continue
        names = names_of(file.path, sources[file.source])
        if names is not None:
            example.setdefault(file.source, (file, names))
            lacking[file.source] = {column: paths for column, paths in lacking[file.source].items() if _nowhere(paths, names)}
    for name, columns in lacking.items():
        if columns and name in example:
            file, names = example[name]
            said = ", ".join(f"{place!r} (of {column})" for column, places in columns.items() for place in places)
            raise Refused(
                f"no file of source {name} has the column {said}; such as {file.path}, which has {', '.join(names[:SHOWN])}; "
                "correct the mapping or the files, or write `optional: true` beside a path that files may lack"
            )


def _needed(source: Source) -> dict[str, tuple[str, ...]]:
    """Column or rule -> the paths of which one must be there."""
    found: dict[str, tuple[str, ...]] = {}
    for name, column in source.columns.items():
        if not column.optional and column.default is None and column.origins:
            found |= {name if n == 0 else f"{name}, part {n + 1}": one for n, one in enumerate(_of_which_one(column))}
    found |= {f"skip {name}": (rule.path,) for name, rule in source.skip.items()}
    return {**found, "robots": (source.robots.path,)} if source.robots else found


def _of_which_one(column: Column) -> list[tuple[str, ...]]:
    """The paths that a column needs, each with those that may stand for it."""
    return [(path,) for path in column.paths] if column.paths is not None else [column.origins]


def _nowhere(paths: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a file has none of the columns in which some paths may begin, such as one of structs or of JSON texts."""
    return {name for path in paths for name in (path, *(column for column, _ in inside_columns(path)))}.isdisjoint(names)


def expect_values(figures: Mapping[str, Any], sources: Sequence[Source], arrived_on: date) -> None:
    """Check that some line of a day has each value that every event needs.

    Args:
        figures: the accounting of the day.
        sources: the mappings.
        arrived_on: the arrival day.

    Raises:
        Refused: every line lacks one of them.
    """
    judged = figures["rejects"] - figures["set_aside"]
    if len(sources) != 1 or not judged or figures["events"] or figures["duplicates"]:
        return
    reasons, columns = Counter(figures["reasons"]), sources[0].columns
    for name in sorted(NEEDED & set(columns)):
        if reasons[f"{name}.required"] == judged and reasons[f"{name}.unreadable"] == reasons[f"{name}.unknown"] == 0:
            places = " and ".join(map(repr, columns[name].origins))
            raise Refused(
                f"no line of {arrived_on} has {name}; the mapping of {sources[0].name} reads {places}; correct the path: "
                "`python -m jobs.clean --check` shows the names that a file has"
            )
