"""Hostile lines in every format: cleaning, audit and publish end well, and the accounts balance. Sound lines become events."""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import math
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jobs import clean
from schemas.lake.lake import open_lake
from schemas.publishing.staging import read_manifest
from tests.jobs.conftest import line
from tests.pipeline import audit_and_publish, run_jobs_here

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
DAY, HOUR = date(1998, 4, 16), "arrived=1998-04-16T15"
MANY = 500
"""Sound lines of one source, so that the hostile ones stay below the share at which the audit refuses a day."""
SOUND = {
    "movielens": (
        "good.jsonl",
        "".join(f"{line(user=f'sound {n}', event_id=f'e{n}')}\n" for n in range(MANY)).encode(),
    ),
    "online_retail": (
        "good.csv",
        b"InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n1,85123A,6,1998-04-16 14:26:00,2.55,99999\n",
    ),
    "web_log": ("good.log", b'10.0.0.77 - - [16/Apr/1998:14:00:00 +0000] "GET /a HTTP/1.1" 200 12 "-" "Mozilla/5.0"\n'),
}
"""Source -> a file of sound lines."""
SOUND_LINES = MANY + len(SOUND)
"""Those of all sources, with one in Parquet."""

nasty = st.sampled_from(
    ["", " ", "\x00", "\ufeff", "\u2028", "\x85", '"', "'", "\\", ",", ";", "\t", "\r", "{}", "null", "<b>"]
)
nasty |= st.sampled_from(
    ["NaN", "inf", "-0", "1e999", "9" * 400, "x" * 5000, "[" * 600, "../../etc/passwd", "e\u0301", "\u202e"]
)
nasty |= st.sampled_from(["1998-04-16T14:20:05Z", "1998-02-30T00:00:00Z", "9999-12-31T23:59:59Z", "1998-04-16T24:00:00+99:99"])
texts = nasty | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.integers() | st.floats() | st.sampled_from([2**63, -(2**63) - 1, 2**64, 10**400, 0, -1])
scalars = texts | numbers | st.booleans() | st.none()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
scraps = (
    st.binary(max_size=60)
    | texts.map(lambda text: text.encode())
    | st.sampled_from([b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80"])
)


def cut(content: bytes) -> st.SearchStrategy[bytes]:
    """The content, or it without its end, or with some bytes changed."""
    at = st.integers(0, max(0, len(content) - 1))
    return (
        st.just(content)
        | at.map(lambda n: content[:n])
        | st.builds(lambda n, b: content[:n] + b + content[n + len(b) :], at, scraps)
    )


KEYS = ["event_id", "type", "user", "item", "rating", "time", "device", "agent", "surface"]
json_lines = st.dictionaries(st.sampled_from(KEYS), values, max_size=9).map(
    lambda changes: json.dumps({**json.loads(line()), **changes}).encode()
)
fields = st.lists(texts | st.sampled_from(["17850", "2.55", "1998-04-16 14:26:00", "85123A"]), max_size=8)
csv_lines = fields.map(lambda row: ",".join(row).encode()) | fields.map(
    lambda row: ",".join('"' + field.replace('"', '""') + '"' for field in row).encode()
)
header = b"InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID"
log_lines = st.builds(
    lambda host, page, agent: f'{host} - - [16/Apr/1998:14:00:00 +0000] "GET /{page} HTTP/1.1" 200 1 "-" "{agent}"'.encode(),
    texts, texts, texts,
)  # fmt: skip


def zipped(content: bytes) -> bytes:
    """An archive of two members with equal content."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", content)
        archive.writestr("b", content)
    return file.getvalue()


LINES: dict[str, st.SearchStrategy[bytes]] = {
    "movielens": json_lines,
    "online_retail": csv_lines | st.just(header) | st.permutations(header.split(b",")).map(b",".join),
    "web_log": log_lines,
}
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zip": zipped,
}


@st.composite
def text_files(draw: Any, source: str) -> tuple[str, bytes]:
    """The ending and the content of a file: lines of the source, scraps between them, compressed, and then perhaps damaged."""
    lines = draw(st.lists(LINES[source].flatmap(cut) | scraps, max_size=6))
    first = [header] if source == "online_retail" and draw(st.booleans()) else []
    end = draw(st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n"]))
    packing, ending = draw(st.sampled_from(sorted(PACKED))), draw(st.sampled_from(sorted(PACKED)))
    content = end.join([*first, *lines])
    if draw(st.booleans()):
        content = draw(st.sampled_from(MARKS)) + content
    return ending, draw(cut(PACKED[packing](content)))


MARKS = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"BZh9", b"PK\x03\x04", b"\x1f\x8b", b"#Fields: a b\n", b"# ", bytes(40)]
"""Beginnings that announce something else than follows."""

NOON = datetime(1998, 4, 16, 12, tzinfo=UTC)
COLUMNS: list[pa.Array] = [
    pa.array(["a", None, "x" * 5000]),
    pa.array([b"\xff\xfe", b"ok", None], pa.binary()),
    pa.array(["", "\x00", "é"]),
    pa.Array.from_buffers(pa.string(), 3, pa.array([b"\xff\xfe", b"ok", b""]).buffers()),
    pa.array([1, -1, None], pa.int8()),
    pa.array([2**64 - 1, 0, None], pa.uint64()),
    pa.array([math.nan, math.inf, None]),
    pa.array([1.5, None, -0.0], pa.float32()),
    pa.array([1.5, None, -0.0], pa.float16()),
    pa.array([True, False, None]),
    pa.array([Decimal("1.50"), None, Decimal("-9")], pa.decimal128(20, 2)),
    pa.array([Decimal("1.50"), None, Decimal("-9")], pa.decimal256(60, 2)),
    pa.array([date(1, 1, 1), date(9999, 12, 31), None]),
    pa.array([NOON, None, NOON], pa.timestamp("us", "UTC")),
    pa.array([NOON, None, NOON], pa.timestamp("ns", "Europe/Lisbon")),
    pa.array([2**63 - 1, -(2**63), None], pa.timestamp("us")),
    pa.array([2**63 - 1, -(2**63), None], pa.timestamp("ms", "+05:30")),
    pa.array([0, 1, None], pa.timestamp("ms", "Mars/Olympus")),
    pa.array([2**31 - 1, -(2**31), None], pa.int32()).cast(pa.date32()),
    pa.array([2**62, -1, None], pa.int64()).cast(pa.time64("us")),
    pa.array([time(12), None, time(23)], pa.time64("us")),
    pa.array([timedelta(1), None, timedelta(-1)], pa.duration("ns")),
    pa.array([["a"], [], None]),
    pa.array([{"a": {"b": [1]}}, None, {"a": None}]),
    pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int64())),
    pa.array(["a", "b", None]).dictionary_encode(),
    pa.array([1, 2, None]).dictionary_encode(),
    pa.array([b"ab", None, b"\xff\xff"], pa.binary(2)),
    pa.nulls(3),
    pa.array(["a", "b", None], pa.large_string()),
    pa.array([["a"], None, ["b"]], pa.list_(pa.string(), 1)),
    pa.array([bytes(range(16)), None, b"\xff" * 16], pa.uuid()),
    pa.array([b"\xff" * 16, None, b"sixteen letters."], pa.binary(16)),
    pa.array(['{"a": 1}', None, "{"], pa.json_()),
    pa.array([2.0**53, -(2.0**63), 17850.0]),
    pa.array([[b"\xff"], None, [b"ok", None]], pa.list_(pa.binary())),
    pa.array([{"a": b"\xff"}, None, {"a": b"ok"}], pa.struct({"a": pa.binary()})),
    pa.array([b"\xff", None, b"ok"]).dictionary_encode(),
    pa.array([[("a", b"\xff")], None, []], pa.map_(pa.string(), pa.binary())),
    pa.array(["a", None, "x" * 40], pa.string_view()),
    pa.array([["a"], None, []], pa.list_view(pa.string())),
    pa.array([Decimal("9" * 60), None, Decimal("0")], pa.decimal256(76, 0)),
    pa.array([timedelta(days=106751), None, timedelta(0)], pa.duration("ms")),
]
PARQUET_COLUMNS = ["event_id", "user_id", "event_type", "event_time", "item_id"]
GOOD_ROW = {"event_id": "1", "user_id": "the sound one", "event_type": "view", "event_time": NOON, "item_id": "a"}


@st.composite
def parquet_files(draw: Any) -> bytes:
    """A Parquet file whose columns have any types, perhaps damaged."""
    columns = {name: draw(st.sampled_from(COLUMNS)) for name in draw(st.sets(st.sampled_from(PARQUET_COLUMNS)))}
    buffer = io.BytesIO()
    codec = draw(st.sampled_from(["none", "snappy", "zstd", "gzip"]))
    try:
        pq.write_table(pa.table(columns), buffer, compression=codec, row_group_size=draw(st.sampled_from([1, 3])))
    except (pa.ArrowException, ValueError):
        return b"PAR1"
    return draw(cut(buffer.getvalue()))


@contextlib.contextmanager
def landing_zone(folder: Path) -> Iterator[Path]:
    """A landing zone in which each source has a file of sound lines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKWRIGHT_VAR", str(folder))
        patch.setenv("CLICKWRIGHT_SOURCES", ",".join([*SOUND, "simulated_parquet"]))
        run_jobs_here(patch)
        for source, (name, content) in SOUND.items():
            (folder / "landing" / source / HOUR).mkdir(parents=True)
            (folder / "landing" / source / HOUR / name).write_bytes(content)
        (folder / "landing" / "simulated_parquet" / HOUR).mkdir(parents=True)
        good = folder / "landing" / "simulated_parquet" / HOUR / "good.parquet"
        pq.write_table(pa.Table.from_pylist([GOOD_ROW]), good)
        yield folder / "landing"


def check_cleaning(folder: Path, files: dict[str, tuple[str, bytes]]) -> None:
    with landing_zone(folder) as landing:
        for source, (name, content) in files.items():
            (landing / source / HOUR / name).write_bytes(content)
        figures = clean.main(["--arrived-on", str(DAY), "--run", "r"])
        assert figures["lines_read"] == figures["events"] + figures["rejects"] + figures["duplicates"]
        assert "line.fault" not in figures["reasons"]
        audit_and_publish("clean", "r")
        lake = open_lake()
        assert lake.arrow("events").num_rows == figures["events"]
        assert lake.arrow("rejects").num_rows == figures["rejects"]
        assert sum(lake.arrow("landing_files")["lines"].to_pylist()) == figures["lines_read"]
        paths = read_manifest("clean", "r").tables["events"].paths
        kept = pl.concat(pl.read_parquet(path, columns=["source_file"]) for path in paths)["source_file"]
        assert sum("/good." in name for name in kept) == SOUND_LINES


def hostile(examples: int) -> Callable[[Any], Any]:
    """Hypothesis on files of all formats; phases without shrinking, because an example takes a second."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    limits = settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=slow,
        phases=[Phase.explicit, Phase.generate],
        derandomize=True,
    )
    files = {source: text_files(source) for source in SOUND} | {"simulated_parquet": parquet_files()}
    return lambda test: limits(given(st.fixed_dictionaries(files))(test))


def named(found: dict[str, Any]) -> dict[str, tuple[str, bytes]]:
    """The files with names: "evil" with the ending of the format."""
    return {
        source: ("evil.parquet", content) if source == "simulated_parquet" else (f"evil.log{content[0]}", content[1])
        for source, content in found.items()
    }


@hostile(6)
def test_hostile_lines_are_accounted_for(tmp_path_factory: pytest.TempPathFactory, found: dict[str, Any]) -> None:
    check_cleaning(tmp_path_factory.mktemp("state"), named(found))


@pytest.mark.faults
@hostile(250)
def test_many_hostile_lines_are_accounted_for(tmp_path_factory: pytest.TempPathFactory, found: dict[str, Any]) -> None:
    check_cleaning(tmp_path_factory.mktemp("state"), named(found))


def test_parquet_columns_of_any_type_in_any_place(tmp_path: Path) -> None:
    with landing_zone(tmp_path) as landing:
        for number, column in enumerate(COLUMNS):
            path = landing / "simulated_parquet" / HOUR / f"type-{number:02}.parquet"
            pq.write_table(pa.table(dict.fromkeys(PARQUET_COLUMNS, column)), path)
        figures = clean.main(["--arrived-on", str(DAY), "--run", "r"])
    assert figures["lines_read"] == SOUND_LINES + 3 * len(COLUMNS)
    assert figures["events"] == SOUND_LINES
    assert figures["reasons"]["row.damaged"] == 3  # Arrow reads no lists of a fixed size of which one is null
