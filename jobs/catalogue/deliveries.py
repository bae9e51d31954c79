"""The catalogue files that have arrived, and which of them no publication of ``items`` has read."""

from collections.abc import Callable
from datetime import date

from jobs.landing.files import LandingFile, item_files
from schemas.lake.lake import Lake
from schemas.runtime.errors import ClickwrightError, NothingToDo
from schemas.source import Source, has_catalogue, load_source

NEW_FILES = "new_files"
"""Note in the commits of ``items``: the catalogue files that no earlier publication had read."""

Deliveries = list[tuple[Source, list[LandingFile]]]
"""For each source with a catalogue, its files."""


def expect_catalogue(lake: Lake, as_of: date) -> Deliveries:
    """For each source with a catalogue its files up to a day.

    Args:
        lake: the lake, which knows the files that were read before.
        as_of: the arrival day.

    Raises:
        ClickwrightError: no catalogue arrived by then, and none is published.
        NothingToDo: no file arrived on that day or came late since the last one, or no source has a catalogue.
    """
    settings = lake.settings
    if not has_catalogue(settings):
        raise NothingToDo(f"no source has a catalogue ({settings.sources}); items are known only from events; nothing to do")
    sources = [source for source in map(load_source, settings.source_names) if source.items is not None]
    deliveries = [(source, item_files(settings.landing_dir, source, as_of)) for source in sources]
    files = [file for _, found in deliveries for file in found]
    published = published_catalogue(lake, as_of)
    if not files and published is None:
        expected = ", ".join(str(settings.landing_dir / source.items.folder) for source in sources if source.items)
        raise ClickwrightError(f"no catalogue arrived by {as_of}; expected in {expected}; deliver it, then clear this task")
    came_late = [file for file in files if published is not None and file.arrived_on <= published]
    if not any(file.arrived_on == as_of for file in files) and not new_files(lake, came_late):
        raise NothingToDo(f"no catalogue file arrived on {as_of}; the previous catalogue still holds; nothing to do")
    return [(source, found) for source, found in deliveries if found]


def new_files(lake: Lake, files: list[LandingFile]) -> list[str]:
    """The files that no publication of ``items`` has read, by their names in the landing zone.

    Args:
        lake: the lake.
        files: catalogue files.
    """
    read = _was_read(lake)
    return [file.relative for file in files if not read(file)]


def _was_read(lake: Lake) -> Callable[[LandingFile], bool]:
    """Whether a publication has read a file. Publications of earlier versions did not note their files, but read all."""
    noted, until = set[str](), date.min
    for commit in lake.publications("items"):
        if NEW_FILES in commit.notes:
            noted.update(commit.notes[NEW_FILES])
        else:
            until = max(until, *(date.fromisoformat(value) for value in commit.replaced["as_of"]))
    return lambda file: file.relative in noted or file.arrived_on <= until


def published_catalogue(lake: Lake, as_of: date) -> date | None:
    """The newest published day of ``items`` that is not after a day; None if there is none.

    Args:
        lake: the lake.
        as_of: the day.
    """
    known = [value for value in lake.partitions("items", "as_of") if value <= as_of]
    return known[-1] if known else None
