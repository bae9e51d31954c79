"""Lines in a fixed form: each named group is a field."""

from tests.jobs.landing.readers.conftest import ReadBytes

FORM = r"(?P<t>\d+) (?:(?P<u>\w+) )?seen"


def test_pattern_must_match_the_whole_line(read_bytes: ReadBytes) -> None:
    content = b"10 ann seen\r\n\n11 seen\n12 bob seen twice\n13 eve seen"
    assert read_bytes(content, "a.log", format="pattern", pattern=FORM) == [
        (1, None, "ann", "10"),
        (3, None, None, "11"),
        (4, "line.no_match", None, None),
        (5, None, "eve", "13"),
    ]


def test_alternatives_must_match_the_whole_line(read_bytes: ReadBytes) -> None:
    assert read_bytes(b"1 a\nx1 a\n", "a.log", format="pattern", pattern=r"(?P<t>\d) (?P<u>\w)|never") == [
        (1, None, "a", "1"),
        (2, "line.no_match", None, None),
    ]


def test_line_in_a_wrong_encoding_costs_no_other_line(read_bytes: ReadBytes) -> None:
    content = "10 ann seen\n11 zoë seen\n12 bob seen\n".encode("latin-1")
    assert read_bytes(content, "a.log", format="pattern", pattern=FORM) == [
        (1, None, "ann", "10"),
        (2, "line.not_utf8", None, None),
        (3, None, "bob", "12"),
    ]
    assert read_bytes(content, "a.log", format="pattern", pattern=FORM, encoding="latin-1")[1] == (2, None, "zoë", "11")


def test_empty_file_is_not_an_error(read_bytes: ReadBytes) -> None:
    assert read_bytes(b"", "a.log", format="pattern", pattern=FORM) == []
