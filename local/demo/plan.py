"""The plan of a demonstration: the short one (``make demo``), and the full one (``make demo-full``), which continues it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from local.movielens import dataset
from local.shop import layout

SOURCES = (dataset.SOURCE, layout.SOURCE)
RAW_IDS = (*dataset.RAW_IDS, *layout.RAW_IDS)
NAMES = {dataset.SOURCE: "films", layout.SOURCE: "shop"}
"""The names of the sources on pages."""


@dataclass(frozen=True)
class Step:
    """A step: its title, why it matters in one sentence, and its seconds on two quiet cores.

    Those of the short demonstration are recorded; those of the full one, and so its time left, are estimates.
    """

    title: str
    why: str
    seconds: float


@dataclass(frozen=True)
class Plan:
    """One demonstration.

    ``settings`` are those of ``python -m schemas.runtime.settings`` that it chooses, unless the environment has chosen.
    """

    command: str
    last_day: date
    effort: str
    settings: dict[str, str]
    steps: tuple[Step, ...]

    @property
    def served_on(self) -> date:
        """The day of the recommendations."""
        return self.last_day + timedelta(days=1)

    @property
    def days(self) -> list[date]:
        """The daily arrivals."""
        count = (self.last_day - dataset.FIRST_DAY).days + 1
        return [dataset.FIRST_DAY + timedelta(days=number) for number in range(count)]


LANDING, SERVICES, HISTORY, DAYS, LATE, TRAINING, ADS, FIGURES = (
    "Landing zone",
    "Airflow and MLflow",
    "History",
    "Daily arrivals",
    "Late days",
    "Training and promotion",
    "Recommendations and ads",
    "Figures",
)
WHY = {
    LANDING: "Real ratings of films and the log of a small invented shop are laid out as log files, with planted defects.",
    SERVICES: "Everything below runs in the scheduler and the model registry that you would use for your own logs.",
    HISTORY: "One load brings the past into the lake; each table is built, audited against its contract, then published.",
    DAYS: "Each day brings the tables up to date; whatever is wrong with a line becomes a reject with a reason.",
    LATE: "Events that arrive late change a day that is already published, so Airflow builds that day again by itself.",
    TRAINING: "Eight recipes learn from the same pinned data; a gate and a person decide which one serves.",
    ADS: "The champion picks ten items for everybody, with a reason each, and a language model writes checked ads.",
    FIGURES: "Every planted defect is looked up, every line is accounted for, and the report is written.",
}


def _steps(*seconds: float) -> Iterator[Step]:
    for (title, why), lasted in zip(WHY.items(), seconds, strict=True):
        yield Step(title, why, lasted)


SHORT = Plan(
    command="make demo",
    last_day=dataset.SHORT_LAST_DAY,
    effort="quick",
    settings={
        "CLICKWRIGHT_SOURCES": ",".join(SOURCES),
        "CLICKWRIGHT_COPYWRITER_ADS": "8",
        # Few Java processes start here, so the archive would cost more than it saves; `make up` makes it.
        "CLICKWRIGHT_SPARK_CLASS_ARCHIVE": "false",
    },
    steps=tuple(_steps(6, 34, 56, 23, 62, 172, 39, 12)),
)
FULL = Plan(
    command="make demo-full",
    last_day=dataset.LAST_DAY,
    effort="full",
    settings={"CLICKWRIGHT_SOURCES": ",".join(SOURCES)},
    steps=tuple(_steps(8, 60, 60, 120, 60, 500, 130, 15)),
)
