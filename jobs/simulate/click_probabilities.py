"""What is best to recommend: of each user, on a day, how probable a click on each item is.

Before a request is made nobody can know which candidates it draws, nor what the logging policy makes of them. So a probability
is a mean over many requests that the user might make on that day, drawn by the simulator itself: its error is one of counting.
"""

import numpy as np
import pyarrow as pa

from jobs.simulate.behaviour import CellDay
from jobs.simulate.lines import user_names
from jobs.simulate.visits import plan_requests, plan_sessions
from jobs.simulate.world import CELL, People, Purpose, World

DAYS_DRAWN = 400
"""Times that a user's day is drawn, with about eleven requests in each."""
OFTEN = 4.0


def expected_clicks(world: World, person: People, day: int, rng: np.random.Generator) -> np.ndarray:
    """(items,): clicks on each item that a request of the person is expected to bring on a day; new to them or not.

    Args:
        person: one user.
        rng: the only source of chance.
    """
    copies = People(*(np.repeat(column, DAYS_DRAWN, axis=0) for column in person))
    # How often somebody comes does not change what they click.
    copies = copies._replace(activity=np.full(DAYS_DRAWN, OFTEN / world.sessions_a_day))
    requests = plan_requests(world, copies, plan_sessions(world, copies, day, rng), day, rng)
    shown = requests.shown
    clicks = np.bincount(requests.items[shown], requests.probability[shown], world.items)
    return clicks / max(len(requests.session), 1)


def choices_table(world: World, day: int, cell: CellDay) -> pa.Table:
    """One row a user who came on a day. ``clicks`` has an entry an item, in the order of the truth's items."""
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
