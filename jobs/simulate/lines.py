"""Events and items as a collector writes them: names, JSON Lines, and the texts of the catalogue."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from jobs.simulate.behaviour import Events, Kind
from jobs.simulate.visits import SURFACES
from jobs.simulate.vocabulary import BRANDS, COLOURS, TEXTS, TOPICS
from jobs.simulate.world import COUNTRIES, DEVICES, HOUR, World

USER_PREFIX, USER_DIGITS, USER_SUFFIX = "shopper-", 10, "@sim.example"
PRODUCT, AD, ITEM_DIGITS = "p", "a", 8
KINDS = tuple(kind.name.lower() for kind in Kind)
AGENTS = {
    "phone": "Mozilla/5.0 (Linux; Android 14) Mobile",
    "desktop": "Mozilla/5.0 (X11; Linux x86_64)",
    "tablet": "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X)",
}
ROBOT_AGENT = "ExampleBot/1.0 (+http://bot.example/)"
HEX = np.frombuffer("".join(f"{i:02x}" for i in range(256)).encode(), np.uint8).reshape(256, 2)


def user_name(number: int) -> str:
    """The raw id of a user, which looks like an e-mail address.

    >>> user_name(7)
    'shopper-0000000007@sim.example'
    """
    return f"{USER_PREFIX}{number:0{USER_DIGITS}d}{USER_SUFFIX}"


def item_name(number: int, is_ad: bool) -> str:
    """The id of an item.

    Args:
        number: from 0.
        is_ad: whether it is an ad or a product.

    >>> item_name(7, False), item_name(9, True)
    ('p00000007', 'a00000009')
    """
    return f"{AD if is_ad else PRODUCT}{number:0{ITEM_DIGITS}d}"


def to_json(value: dict[str, Any]) -> str:
    """Compact JSON, not limited to ASCII.

    >>> to_json({"item": "p1", "price": 2.5})
    '{"item":"p1","price":2.5}'
    """
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def hex_ids(ids: np.ndarray) -> pa.Array:
    """64-bit ids as strings of 16 hex digits; vectorised, because there may be a billion.

    >>> hex_ids(np.array([255], np.uint64)).to_pylist()
    ['00000000000000ff']
    """
    return strings(HEX[ids.astype(">u8").view(np.uint8)].reshape(len(ids), 16))


def user_names(numbers: np.ndarray) -> pa.Array:
    return strings(np.hstack([_text(USER_PREFIX, numbers), _digits(numbers, USER_DIGITS), _text(USER_SUFFIX, numbers)]))


def item_names(numbers: np.ndarray, is_ad: np.ndarray) -> pa.Array:
    """Ids of items; null for numbers below 0.

    Args:
        numbers: numbers of the items.
        is_ad: for every item of the world, whether it is an ad.

    >>> item_names(np.array([1, -1, 0]), np.array([False, True])).to_pylist()
    ['a00000001', None, 'p00000000']
    """
    kind = np.where(is_ad[numbers], ord(AD), ord(PRODUCT)).astype(np.uint8)
    return strings(np.hstack([kind[:, None], _digits(np.maximum(numbers, 0), ITEM_DIGITS)]), numbers < 0)


def strings(letters: np.ndarray, null: np.ndarray | None = None) -> pa.Array:
    """An Arrow array of strings of equal length.

    Args:
        letters: (n, length), the bytes.
        null: (n,), true for strings that are null.
    """
    n, length = letters.shape
    array = pa.FixedSizeBinaryArray.from_buffers(pa.binary(length), n, [None, pa.py_buffer(np.ascontiguousarray(letters))])
    text = array.cast(pa.binary()).cast(pa.string())
    return text if null is None else pa.compute.if_else(pa.array(null), pa.scalar(None, pa.string()), text)


def _text(text: str, like: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.frombuffer(text.encode(), np.uint8), (len(like), len(text)))


def _digits(numbers: np.ndarray, width: int) -> np.ndarray:
    powers = 10 ** np.arange(width - 1, -1, -1)
    return (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def event_lines(world: World, events: Events) -> list[str]:
    """Each event as a JSON line. Its time is local, with a UTC offset; keys that would be null are left out.

    Args:
        world: the world, for its catalogue.
        events: the events.
    """
    offset = np.array([c.offset for c in COUNTRIES])[events.country]
    at = np.datetime_as_string((events.time + offset * HOUR).astype("datetime64[ms]")).tolist()
    contexts = [
        f'{c.offset:+03d}:00","device":"{device}","country":"{c.code}","agent":"{AGENTS[device]}","page":"'
        for device in DEVICES
        for c in COUNTRIES
    ]
    context = (events.device * len(COUNTRIES) + events.country).tolist()
    items = item_names(events.item, world.catalogue.is_ad).to_pylist()
    columns = zip(
        hex_ids(events.event_id).to_pylist(), events.user.tolist(), events.kind.tolist(), at, context,
        events.surface.tolist(), items, events.position.tolist(), events.value.tolist(),
        events.propensity.tolist(), events.text.tolist(), strict=True,
    )  # fmt: skip
    return [
        f'{{"id":"{event_id}","user":"{USER_PREFIX}{user:0{USER_DIGITS}d}{USER_SUFFIX}","action":"{KINDS[kind]}","at":"{moment}'
        f'{contexts[where]}{SURFACES[surface]}"'
        + (f',"item":"{item}"' if item else "")
        + (f',"position":{position}' if position else "")
        + (f',"amount":{value}' if value == value else "")  # NaN is unequal to itself
        + (f',"propensity":{propensity}' if propensity == propensity else "")
        + (f',"text":"{TEXTS[text]}"}}' if text >= 0 else "}")
        for event_id, user, kind, moment, where, surface, item, position, value, propensity, text in columns
    ]


def item_lines(world: World, first: int, end: int) -> Iterator[str]:
    """The catalogue lines of some items: everything that a shop publishes about them, but not their hidden quality.

    Args:
        world: the world.
        first: number of the first item.
        end: number after the last item.
    """
    catalogue = world.catalogue
    columns = (column[first:end].tolist() for column in catalogue)
    for number, (topic, second, _, price, brand, wording, is_ad) in zip(
        range(first, end), zip(*columns, strict=True), strict=True
    ):
        words, choose = TOPICS[topic], _chooser(wording)
        noun, quality, use, colour = (choose(x) for x in (words.nouns, words.qualities, words.uses, COLOURS))
        liked, maker, name = TOPICS[second].name.lower(), BRANDS[brand], item_name(number, is_ad)
        plain = f"{maker} {quality} {noun}"
        yield to_json(
            {
                "item": name,
                "name": choose((f"This week: {plain}", f"New from {maker}: {noun}", f"{plain}, made for {use}"))
                if is_ad
                else choose((f"{plain} in {colour}", f"{plain}, {colour}", f"{maker} {noun}, {quality}")),
                "about": choose(
                    (
                        f"{quality.capitalize()} {noun} by {maker}, made for {use}. Those who like {liked} like it too.",
                        f"From {maker}: {noun} for {use}. In {colour}, {quality}, and a good match for {liked}.",
                        f"Made for {use}: {maker} {noun}, {quality}, in {colour}. Also for friends of {liked}.",
                    )
                ),
                "tags": [words.department, words.name, *(["Advertisement"] if is_ad else [])],
                "brand": maker,
                "price": price,
                "picture": f"https://images.sim.example/{name}.jpg",
            }
        )


def _chooser(number: int) -> Callable[[tuple[str, ...]], str]:
    """Chooses from one tuple after the other, by the digits of a number."""

    def choose(choices: tuple[str, ...]) -> str:
        nonlocal number
        number, digit = divmod(number, len(choices))
        return choices[digit]

    return choose
