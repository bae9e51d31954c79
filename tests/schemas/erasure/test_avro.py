"""The decoder of Avro files, also for truncated files."""

from pathlib import Path

import pytest
from pyiceberg.avro.file import AvroFile
from pyiceberg.io.pyarrow import PyArrowFileIO

from schemas.erasure.avro import decoded
from tests.schemas.lakes import DAYS, RAW, person, write_day


@pytest.fixture
def manifest(var: Path) -> Path:
    write_day("sessions", DAYS[0])
    return next((var / "lake").rglob("*-m0.avro"))


def test_column_bounds_are_decoded(manifest: Path) -> None:
    least = min(map(person, RAW))[:16]
    with AvroFile(PyArrowFileIO().new_input(manifest.as_uri())) as records:
        assert least in repr(list(records))
    assert least.encode() not in manifest.read_bytes(), "the file is compressed"
    assert least.encode() in decoded(manifest.read_bytes())


def test_a_truncated_file_is_decoded_up_to_its_end(manifest: Path) -> None:
    content = manifest.read_bytes()
    whole = decoded(content)
    found = [decoded(content[:end]) for end in range(0, len(content), 7)]
    assert all(whole.startswith(part) for part in found)
    assert sum(0 < len(part) < len(whole) for part in found) > 3
    assert decoded(b"not an Avro file") == b""
