"""Options of CSV: escapes, comments, headers of the W3C and headers that change, fields added at the end."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.landing.readers.delimited import read_delimited
from tests.jobs.landing.readers.conftest import WANTED, ReadBytes, shop

Found = list[tuple[int, str | None, str | None, str | None]]


def again(line: int) -> tuple[int, str, None, None]:
    return line, "line.header_again", None, None


def comment(line: int) -> tuple[int, str, None, None]:
    return line, "source.comment", None, None


CASES: dict[str, tuple[dict[str, Any], bytes, Found]] = {
    "escaped quotes": (
        {"escape": "\\"},
        b'u,t\n"a \\"red\\" jam, big",1\nbob,2\n"ends in \\"quotes\\"",3\n"5\\" pipe",4\n',
        [
            (2, None, 'a "red" jam, big', "1"), (3, None, "bob", "2"),
            (4, None, 'ends in "quotes"', "3"), (5, None, '5" pipe', "4"),
        ],
    ),
    "escapes without quotes": (
        {"escape": "\\", "quote": None},
        b"u,t\na\\,b,1\n\\N,2\nc:\\new,3\nback\\\\slash,4\n",
        [(2, None, "a,b", "1"), (3, None, None, "2"), (4, None, "c:\\new", "3"), (5, None, "back\\slash", "4")],
    ),
    "escaped line ends": (
        {"escape": "\\"},
        b'u,t\na\\\nb,1\n"x \\"y\nz\\"",2\nbob,3\n"open \\" here,4\nann,5\n',
        [
            (2, None, "a\nb", "1"), (4, None, 'x "y\nz"', "2"), (6, None, "bob", "3"),
            (7, "line.broken_quotes", None, None), (8, None, "ann", "5"),
        ],
    ),
    "comments": (
        {"comment": "#"},
        b"# made by a \"tool\nu,t\nann,1\n#,2\nbob,3\n",
        [comment(1), (3, None, "ann", "1"), comment(4), (5, None, "bob", "3")],
    ),
    "header of the W3C": (
        {"header": "w3c", "delimiter": " ", "quote": None},
        b"#Version: 1.0\n#Fields: u t\nann 1\n#Date: 2026-03-02\n#Fields: t x u\n2 y bob\n#Fields: u t\neve 3\n",
        [
            comment(1), comment(2), (3, None, "ann", "1"), comment(4),
            comment(5), (6, None, "bob", "2"), comment(7), (8, None, "eve", "3"),
        ],
    ),
    "lines before the fields are named": (
        {"header": "w3c", "delimiter": "\t"},
        b"ann\t1\n#Fields: u t\nbob\t2\n",
        [(1, "line.no_header", None, None), comment(2), (3, None, "bob", "2")],
    ),
    "directives of the W3C where the mapping names the fields": (
        {"fields": ["u", "t"], "delimiter": "\t"},
        b"#Version: 1.0\n#Fields: u t\nann\t1\n",
        [comment(1), comment(2), (3, None, "ann", "1")],
    ),
    "fields added at the end": (
        {"extra_fields": True},
        b"u,t\nann,1\nbob,2,x\n\"eve\",3,\"y,z\"\ndan\n",
        [(2, None, "ann", "1"), (3, None, "bob", "2"), (4, None, "eve", "3"), (5, "line.wrong_fields", None, None)],
    ),
    "header repeated": ({}, b"u,t\nann,1\nu,t\nbob,2\n", [(2, None, "ann", "1"), again(3), (4, None, "bob", "2")]),
    "header in another order": (
        {},
        b"u,t,x\nann,1,a\nx,u,t\nb,bob,2\nc,eve,3\n",
        [(2, None, "ann", "1"), again(3), (4, None, "bob", "2"), (5, None, "eve", "3")],
    ),
    "header with quotes and a column more": (
        {},
        b'u,t\nann,1\n"x","u","t"\ny,bob,2\n',
        [(2, None, "ann", "1"), again(3), (4, None, "bob", "2")],
    ),
    "header behind a byte order mark": (
        {},
        b"\xef\xbb\xbfu,t\nann,1\n\xef\xbb\xbft,u\n2,bob\n",
        [(2, None, "ann", "1"), again(3), (4, None, "bob", "2")],
    ),
    "one name as a value is not a header": ({}, b"u,t\nann,1\nu,2\n", [(2, None, "ann", "1"), (3, None, "u", "2")]),
    "name of the mapping twice": (
        {},
        b"u,t,u\nann,1,bob\n",
        [(2, "line.repeated_name", None, None)],
    ),
    "another name twice": ({}, b"u,x,t,x\nann,a,1,b\n", [(2, None, "ann", "1")]),
    "values that are names": (
        {},
        b"u,a,t,i\nann,u,2026-03-02T08:00:01Z,t\nbob,x,2026,y\n",
        [(2, None, "ann", "2026-03-02T08:00:01Z"), (3, None, "bob", "2026")],
    ),
    "a value that begins as a comment": (
        {"comment": "#"}, b'u,t\n"#ann","1"\n"bob","2"\n#,3\n', [(2, None, "#ann", "1"), (3, None, "bob", "2"), comment(4)]
    ),
    "NUL in a field": ({}, b"u,t\na\0b,1\nbob,2\n", [(2, None, "a\0b", "1"), (3, None, "bob", "2")]),
}  # fmt: skip


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_option(tmp_path: Path, name: str, at_once: bool) -> None:
    options, content, expected = CASES[name]
    (tmp_path / "a.csv").write_bytes(content)
    for size in (1 << 20, 1):
        frames = read_delimited(tmp_path / "a.csv", shop(format="csv", **options), WANTED, block_bytes=size, at_once=at_once)
        assert pl.concat(frames).select("line_number", "problem", *WANTED).rows() == expected, size


def test_comments_of_a_pattern(read_bytes: ReadBytes) -> None:
    found = read_bytes(b"# a\n1 ann\n", "a.log", format="pattern", pattern=r"(?P<t>\d+) (?P<u>\w+)", comment="#")
    assert found == [comment(1), (2, None, "ann", "1")]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"escape": '"'}, "are not three characters"),
        ({"escape": "ab"}, "is not one ASCII character"),
        ({"header": "w3c", "fields": ["u", "t"]}, "give one of header and fields"),
        ({"header": "iis"}, "Input should be 'w3c'"),
        ({"comment": ""}, "at least 1 character"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        shop(format="csv", **options)
    with pytest.raises(ValueError, match="only for the format csv"):
        shop(escape="\\")
