"""The best possible recommendations: how probable a click on each item is, for each user on a day.

The candidates of a request and the logging policy's choice among them are random. So a probability is a mean over many requests
that the user might make on that day, drawn by the simulator itself: its only error is sampling error.
"""

import numpy as np
import pyarrow as pa

from jobs.simulate.behaviour import CellDay
from jobs.simulate.lines import user_names
from jobs.simulate.visits import plan_requests, plan_sessions
from jobs.simulate.world import CELL, People, Purpose, World

DAYS_DRAWN = 400
"""How often a user's day is drawn; each draw has about eleven requests."""
OFTEN = 4.0


def expected_clicks(world: World, person: People, day: int, rng: np.random.Generator) -> np.ndarray:
    """(items,): expected clicks on each item in a request of the user on a day, whether or not the user has seen it before.

    Args:
        world: the world.
        person: one user.
        day: number of the day, from 0.
        rng: the only source of randomness.
    """
    copies = People(*(np.repeat(column, DAYS_DRAWN, axis=0) for column in person))
    # How often a user comes does not change the click probabilities.
    copies = copies._replace(activity=np.full(DAYS_DRAWN, OFTEN / world.sessions_a_day))
    requests = plan_requests(world, copies, plan_sessions(world, copies, day, rng), day, rng)
    shown = requests.shown
    clicks = np.bincount(requests.items[shown], requests.probability[shown], world.items)
    return clicks / max(len(requests.session), 1)


def choices_table(world: World, day: int, cell: CellDay) -> pa.Table:
    """One row for each user who came on a day. ``clicks`` has one entry for each item, in the order of the items table.

    Args:
        world: the world.
        day: number of the day, from 0.
        cell: the simulated day of a cell.
    """
    rows = np.unique(cell.sessions.row)
    numbers = cell.people.number[rows]
    clicks = np.empty((len(rows), world.items), np.float32)
    for i, (row, number) in enumerate(zip(rows, numbers.tolist(), strict=True)):
        person = People(*(column[row : row + 1] for column in cell.people))
        clicks[i] = expected_clicks(world, person, day, world.rng(Purpose.CHOICES, day, number // CELL, number % CELL))
    return pa.table(
        {
            "user_id": user_names(numbers),
            "day": pa.array([cell.date] * len(rows), pa.date32()),
            "clicks": pa.FixedSizeListArray.from_arrays(pa.array(clicks.ravel()), world.items),
        }
    )
