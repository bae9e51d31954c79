"""The truth about the world as tables: impressions, sessions, users and items."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from jobs.simulate.behaviour import CellDay, Events, Kind
from jobs.simulate.lines import hex_ids, item_names, user_names
from jobs.simulate.vocabulary import TOPICS
from jobs.simulate.world import COUNTRIES, DEVICES, K, World


def impressions_table(cell: CellDay) -> pa.Table:
    """One row for each impression; ``request_id`` is the id of the first impression of its request."""
    events, requests, kept = cell.events, cell.requests, cell.kept
    shown = events.take(events.kind == Kind.IMPRESSION)
    first = np.flatnonzero(shown.position == 1)
    request = np.cumsum(shown.position == 1) - 1
    clicked = np.zeros(len(shown), bool)
    clicked[_impression_of(events)] = True
    return pa.table(
        {
            "event_id": hex_ids(shown.event_id),
            "request_id": pa.DictionaryArray.from_arrays(request.astype(np.int32), hex_ids(shown.event_id[first])),
            "position": shown.position,
            "candidates": requests.allowed.sum(1)[kept][request].astype(np.int8),
            "propensity": shown.propensity,
            "click_probability": shown.click_probability,
            "clicked": clicked,
        }
    )


def _impression_of(events: Events) -> np.ndarray:
    """For each click the index of its impression: the one in the same request, at the same position."""
    first = np.flatnonzero(events.position[events.kind == Kind.IMPRESSION] == 1)
    request = np.cumsum((events.kind == Kind.IMPRESSION) & (events.position == 1)) - 1
    click = events.kind == Kind.CLICK
    return first[request[click]] + events.position[click] - 1


def sessions_table(cell: CellDay) -> pa.Table:
    """One row for each planted session of genuine events; ``day`` is the day whose interests it follows."""
    events = cell.events
    first = np.flatnonzero(np.diff(events.session, prepend=-1) != 0)
    last = np.append(first[1:], len(events)) - 1 if len(first) else first
    times = [pa.array(events.time[i] * 1000, pa.timestamp("us", tz="UTC")) for i in (first, last)]
    return pa.table(
        {
            "user_id": user_names(events.user[first]),
            "day": pa.array([cell.date] * len(first), pa.date32()),
            "started_at": times[0],
            "ended_at": times[1],
            "n_events": pa.array(last - first + 1, pa.int32()),
        }
    )


def users_table(world: World, cells: Iterable[int]) -> pa.Table:
    """One row for each user. The interest on day d is cos(drift d) interest + sin(drift d) towards, one weight for each topic.

    Args:
        world: the world.
        cells: numbers of the cells.
    """
    tables = []
    for cell in cells:
        people = world.people(cell)
        vectors = {
            name: pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), K)
            for name, values in (("interest", people.interest), ("towards", people.towards))
        }
        tables.append(
            pa.table(
                {
                    "user_id": user_names(people.number),
                    **vectors,
                    "drift": people.drift,
                    "activity": people.activity,
                    "joined_on": pa.array([world.date_of(day) for day in people.joined.tolist()], pa.date32()),
                    "country": pa.array([COUNTRIES[i].code for i in people.country]),
                    "device": pa.array([DEVICES[i] for i in people.device]),
                }
            )
        )
    return pa.concat_tables(tables)


def items_table(world: World, day: int, first: int, end: int) -> pa.Table:
    """One row for each new item of a day.

    Args:
        world: the world.
        day: number of the day, from 0.
        first: number of the first item.
        end: number after the last item.
    """
    of, names = world.catalogue, [topic.name for topic in TOPICS]
    return pa.table(
        {
            "item_id": item_names(np.arange(first, end), of.is_ad),
            "topic": pa.DictionaryArray.from_arrays(of.topic[first:end], names),
            "second_topic": pa.DictionaryArray.from_arrays(of.second[first:end], names),
            "quality": of.quality[first:end],
            "is_ad": of.is_ad[first:end],
            "first_day": pa.array([world.date_of(day)] * (end - first), pa.date32()),
        }
    )
