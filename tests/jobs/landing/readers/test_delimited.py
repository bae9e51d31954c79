"""CSV: every record becomes a row, read or with its problem, with both ways of splitting."""

import gzip
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.landing.readers.delimited import read_delimited
from tests.jobs.landing.readers.conftest import WANTED, ReadBytes, shop


def test_fields_are_found_by_header_name(read_bytes: ReadBytes) -> None:
    assert read_bytes(b"t,x,u\n10,,ann\n11,y,\n", "a.csv", format="csv") == [(2, None, "ann", "10"), (3, None, None, "11")]


def test_multiline_record_has_its_first_line_number(read_bytes: ReadBytes) -> None:
    content = b'u,t,x\n"an ""ann""\r\nor two, or three",10,y\r\n\r\nbob,11,z'
    assert read_bytes(content, "a.csv", format="csv") == [
        (2, None, 'an "ann"\nor two, or three', "10"),
        (5, None, "bob", "11"),
    ]


def test_broken_line_costs_no_other_line(read_bytes: ReadBytes) -> None:
    lines_and_rows: list[tuple[bytes, str | None, str | None]] = [
        (b"ann,10,x", None, "ann"),
        (b"ann,10", "line.wrong_fields", None),
        (b"ann,10,x,y", "line.wrong_fields", None),
        (b"u,t,x", "line.header_again", None),
        (b'"u",t,"x"', "line.header_again", None),
        (b"\xff\xfe,10,x", "line.not_utf8", None),
        (b'"ann"a,10,x', "line.broken_quotes", None),
        (b'"ann,10,x', "line.broken_quotes", None),  # closed by a quote further down, but never as a field
        (b'an"n,10,x', None, 'an"n'),
        (b"a\rnn,10,x", "line.broken_quotes", None),
        (b"x" * (1 << 21), "line.too_long", None),
        (b'"bob",10,x', None, "bob"),
        (b'"open to the end,10,x', "line.broken_quotes", None),
        (b"last,10,x", None, "last"),
    ]
    rows = read_bytes(b"\n".join([b"u,t,x", *[line for line, _, _ in lines_and_rows]]), "a.csv", format="csv")
    assert [row[:3] for row in rows] == [(n, problem, user) for n, (_, problem, user) in enumerate(lines_and_rows, 2)]


def test_delimiter_quote_encoding_and_names_of_the_mapping(read_bytes: ReadBytes) -> None:
    options = {"format": "csv", "delimiter": ";", "quote": "'", "encoding": "latin-1", "fields": ["u", "t"]}
    assert read_bytes("Zoë;10\n'a;b';11\n\"c\";12\n".encode("latin-1"), "a.csv", **options) == [
        (1, None, "Zoë", "10"),
        (2, None, "a;b", "11"),
        (3, None, '"c"', "12"),
    ]


def test_line_in_a_wrong_encoding(read_bytes: ReadBytes) -> None:
    content = b"u,t\n\x80uro,10\n\x81,11\nann,12\n"  # 0x80 is a character in cp1252, 0x81 is not
    assert read_bytes(content, "a.csv", format="csv", encoding="cp1252") == [
        (2, None, "€uro", "10"),
        (3, "line.wrong_encoding", None, None),
        (4, None, "ann", "12"),
    ]


def test_missing_header_makes_every_line_a_problem(read_bytes: ReadBytes) -> None:
    assert read_bytes(b"ann,10\nbob,11\n", "a.csv", format="csv") == [
        (1, "line.no_header", None, None),
        (2, "line.no_header", None, None),
    ]
    assert read_bytes(b"made by an export\nu,t\nbob,11\n", "a.csv", format="csv") == [
        (1, "line.no_header", None, None),
        (3, None, "bob", "11"),
    ]


def test_empty_file_is_a_problem_but_a_lone_header_is_not(read_bytes: ReadBytes) -> None:
    assert read_bytes(b"", "a.csv", format="csv") == [(0, "file.empty", None, None)]
    assert read_bytes(gzip.compress(b""), "a.csv.gz", format="csv") == [(0, "file.empty", None, None)]
    assert read_bytes(b"u,t\n", "a.csv", format="csv") == []


def test_truncated_file_gives_its_records(read_bytes: ReadBytes) -> None:
    text = b"u,t\n" + b"".join(b"user%d,%d\n" % (i * 7919 % 100_003, i) for i in range(20_000))
    rows = read_bytes(gzip.compress(text)[:-5000], "a.csv.gz", format="csv")
    *read, last = rows
    assert last == (0, "file.truncated", None, None)
    assert 5_000 < len(read) < 20_000
    assert [time for _, _, _, time in read] == [str(i) for i in range(len(read))]


RECORDS = {  # a record, and its outcome
    b"ann,10,x": None,
    b",,": None,
    "Zoë,10,x".encode(): None,
    b'"a, b",10,x': None,
    b'"ann","10","x"': None,
    b'"","10",""': None,
    b'"a"",""b",10,x': None,
    b'"u","t",x': "line.header_again",
    b'"a","b","c","d"': "line.wrong_fields",
    b'"a\nb\n\nc",10,x': None,
    b'"he said ""no""",10,"\n"': None,
    b"u,t,x": "line.header_again",
    b"one": "line.wrong_fields",
    b"1,2,3,4": "line.wrong_fields",
    b'"a"b,10,x': "line.broken_quotes",
    b"\xff,10,x": "line.not_utf8",
}


def rows_of(path: Path, content: bytes, block_bytes: int, at_once: bool) -> pl.DataFrame:
    path.write_bytes(content)
    return pl.concat(read_delimited(path, shop(format="csv"), WANTED, block_bytes=block_bytes, at_once=at_once))


@pytest.mark.slow
@given(
    st.lists(st.sampled_from(list(RECORDS)), max_size=30), st.integers(1, 200), st.booleans(), st.sampled_from([b"\n", b"\r\n"])
)
@settings(deadline=None)
def test_each_record_becomes_one_row_next_to_any_other(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], block_bytes: int, at_once: bool, end: bytes
) -> None:
    path = tmp_path_factory.mktemp("records") / "a.csv"
    rows = rows_of(path, b"".join(record + end for record in [b"u,t,x", *records]), block_bytes, at_once)
    number, expected = 2, []
    for record in records:
        expected.append((number, RECORDS[record]))
        number += record.count(b"\n") + 1
    assert rows.select("line_number", "problem").rows() == expected


FIELDS = st.sampled_from([b"", b"a", b'"a"', b'""', b'"a,b"', b'"a""b"', b'"', b'a"b', b'"a\nb"', b"\r", b"\xff"])
LINES = st.lists(st.lists(FIELDS, min_size=1, max_size=4).map(b",".join), max_size=6).map(b"\n".join)


@pytest.mark.slow
@given(LINES | st.binary(max_size=60) | st.text('au,"\r\n', max_size=60).map(str.encode), st.integers(1, 30))
@settings(max_examples=300, deadline=None)
def test_both_ways_of_splitting_agree_on_any_bytes(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, block_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("ways") / "a.csv"
    one_by_one = rows_of(path, b"u,t,x\n" + content, 1 << 20, False)
    assert rows_of(path, b"u,t,x\n" + content, 1 << 20, True).rows() == one_by_one.rows()
    assert rows_of(path, b"u,t,x\n" + content, block_bytes, True).rows() == one_by_one.rows()
    starts = one_by_one["line_number"].to_list()
    assert len(starts) == len(set(starts))
