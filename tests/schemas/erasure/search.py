"""Search every byte of the lake for texts: Parquet raw and decoded, Avro records, other files raw."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from pyiceberg.avro.file import AvroFile
from pyiceberg.io.pyarrow import PyArrowFileIO

from schemas.erasure.avro import decoded


def search(folder: Path, needles: Sequence[str]) -> tuple[list[str], int]:
    """The files under a folder that hold one of some texts, and the number of bytes searched."""
    found, looked = [], 0
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        texts = [content.decode("latin-1")]
        if path.suffix == ".parquet":
            texts.append(str(pq.ParquetFile(path).read().to_pylist()))
        if path.suffix == ".avro":
            try:
                with AvroFile(PyArrowFileIO().new_input(path.as_uri())) as records:
                    texts += [repr(record) for record in records]
            except EOFError:  # its writer was killed
                texts.append(decoded(content).decode("latin-1"))
        looked += sum(map(len, texts))
        if any(needle in text for needle in needles for text in texts):
            found.append(str(path.relative_to(folder)))
    return found, looked
