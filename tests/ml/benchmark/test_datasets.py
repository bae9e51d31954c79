"""File formats of papers."""

import gzip
from pathlib import Path

import pytest

from ml.benchmark.datasets import in_order, is_timed, read_sequences, read_timed
from ml.data.interactions import DAY_US
from schemas.runtime.errors import ConfigError

TIMED = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n9\tb\t4\t86400\n9\ta\t5\t10\n7\tb\t3\t86401\n"


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["plain.txt", "packed.txt.gz"])
def test_sequence_files_have_one_line_per_user(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "1 30 10 20\n2 20 30\n")
    assert not is_timed(path)
    events, catalog = read_sequences(path)
    assert catalog.item_ids == ["10", "20", "30"]
    assert events.n_users == 2
    assert [[catalog.item_ids[i] for i in h] for h in events.histories()] == [["30", "10", "20"], ["20", "30"]]
    assert events.times() is None
    assert not catalog.described


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 10\n2\n", "line 2 has no items; in .*; write `user item item"),
        ("1 10\n\n", "line 2 has no items"),
        ("1 10\n1 20\n", "a user has more than one line"),
    ],
)
def test_a_broken_file_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_sequences(write(tmp_path / "broken.txt", text))


def test_timed_files_have_a_header(tmp_path: Path) -> None:
    path = write(tmp_path / "small.inter", TIMED)
    items = write(tmp_path / "small.item", "item_id:token\tmovie_title:token_seq\tclass:token_seq\na\tAlien\tHorror Sci-Fi\n")
    assert is_timed(path)
    events, rows = read_timed(path, items)
    assert (events.arrived // DAY_US).tolist() == [1, 0, 1]  # user 7, then user 9 in the order of time
    ordered, catalog = in_order(events, rows)
    assert catalog.item_ids == ["a", "b"]
    assert (catalog.titles, catalog.categories) == (["Alien", ""], [["Horror", "Sci-Fi"], []])
    assert [h.tolist() for h in ordered.histories()] == [[1], [0, 1]]
    commas = write(tmp_path / "small.csv", TIMED.replace("\t", ","))
    same = read_timed(commas)[0]
    assert (same.time.tolist(), same.item_ids) == (events.time.tolist(), events.item_ids)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "small.inter", TIMED.replace("timestamp", "when"))
    assert not is_timed(path)
    with pytest.raises(ConfigError, match=r"no column timestamp; in the header of .*; it has user_id, item_id, rating, when"):
        read_timed(path)
