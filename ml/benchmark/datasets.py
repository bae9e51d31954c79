"""Reads the file formats of papers: a line per user with the items in order, or a line per interaction with its time."""

import csv
import gzip
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pyarrow as pa

from ml.data.catalog import ITEM_FIELDS, Catalog, catalog_from
from ml.data.event_log import SCHEMA, Events, cut, everything, gather
from ml.data.interactions import Interactions
from schemas.runtime.errors import ConfigError

NEEDED = ("user_id", "item_id", "timestamp")


def is_timed(path: Path) -> bool:
    """Whether the file begins with a header that names ``user_id``, ``item_id`` and ``timestamp``."""
    with opened(path) as lines:
        header = lines.readline()
    return all(name in header for name in NEEDED)


def read_sequences(path: Path) -> tuple[Interactions, Catalog]:
    """Lines of ``user item item ...``, separated by blanks; only the order of events is known.

    Raises:
        ConfigError: a line has no item, or a user has two lines.
    """
    users: list[str] = []
    rows: list[list[str]] = []
    with opened(path) as lines:
        for number, line in enumerate(lines, start=1):
            user, *items = line.split() or [""]
            if not items:
                raise ConfigError(f"line {number} has no items; in {path}; write `user item item ...`")
            users.append(user)
            rows.append(items)
    if len(set(users)) < len(users):
        raise ConfigError(f"a user has more than one line; in {path}; write one line a user")
    ids = sorted({item for items in rows for item in items})
    index = {item: i for i, item in enumerate(ids)}
    lengths = [len(items) for items in rows]
    n = sum(lengths)
    events = Interactions(
        n_users=len(users),
        n_items=len(ids),
        user_index=np.repeat(np.arange(len(rows)), lengths).astype(np.int32),
        item_index=np.array([index[item] for items in rows for item in items], dtype=np.int32),
        time=np.arange(n, dtype=np.int64),
        arrived=np.zeros(n, dtype=np.int64),
        timed=False,
    )
    return events, Catalog(ids, [""] * len(ids), [[] for _ in ids], [""] * len(ids))


def read_timed(path: Path, items: Path | None = None) -> tuple[Events, pa.Table]:
    """Interactions with times, and the catalogue, for :mod:`ml.data.splits`.

    Args:
        path: tab or comma separated, with a header of ``user_id``, ``item_id``, ``timestamp`` (seconds since 1970). A type
            suffix as RecBole writes it (``user_id:token``) is ignored. Events arrive on the day on which they happen.
        items: the same with ``item_id``, optionally ``title`` or ``movie_title``, and optionally ``class`` (categories,
            separated by blanks).

    Raises:
        ConfigError: a column is missing.
    """
    raw = _table(path, NEEDED)
    moment = pa.array((raw["timestamp"].astype(float) * 1e6).astype("int64"))
    number = pa.array([f"{n:012d}" for n in range(len(raw))])
    day = moment.cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
    columns = [pa.array(raw["user_id"], pa.string()), moment, number, pa.array(raw["item_id"], pa.string()), day]
    events = gather([pa.record_batch(columns, schema=SCHEMA)])
    if items is None:
        return events, ITEM_FIELDS.empty_table()
    rows = _table(items, ("item_id",)).fillna("")
    title = next((name for name in ("title", "movie_title") if name in rows), None)
    catalogue = {
        "item_id": rows["item_id"].tolist(),
        "title": rows[title].tolist() if title else [""] * len(rows),
        "categories": [text.split() for text in rows["class"]] if "class" in rows else [[] for _ in range(len(rows))],
        "text": [""] * len(rows),
    }
    return events, pa.table(catalogue, schema=ITEM_FIELDS)


def in_order(events: Events, items: pa.Table) -> tuple[Interactions, Catalog]:
    """All interactions, by user and time, and the catalogue.

    Args:
        events: of :func:`read_timed`.
        items: the rows of the catalogue.
    """
    catalog = catalog_from(items, events.item_ids)
    return cut(events, everything, catalog), catalog


def opened(path: Path) -> IO[str]:
    """Open a text file, plain or gzipped."""
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _table(path: Path, needed: tuple[str, ...]) -> pd.DataFrame:
    with opened(path) as lines:
        first = lines.readline()
    separator = "\t" if "\t" in first else ","
    frame = pd.read_csv(path, sep=separator, dtype=str, quoting=csv.QUOTE_NONE, keep_default_na=False)
    frame.columns = [name.partition(":")[0].strip() for name in frame.columns]
    missing = [name for name in needed if name not in frame]
    if missing:
        raise ConfigError(f"no column {', '.join(missing)}; in the header of {path}; it has {', '.join(frame.columns)}")
    return frame
