"""Find erased users in the landing zone, and blank their lines if Clickwright may rewrite it.

The source's mapping tells which user a line belongs to, as in cleaning. A blanked line stays as an empty line (in Parquet as a
row of nulls), so that the other lines keep their numbers; where a line holds events of several persons (``each`` of a mapping),
only the elements of erased ones become null, but a row of Parquet is blanked as a whole. Without
``CLICKWRIGHT_LANDING_IS_OURS`` no file is changed, and the receipts list the files that still contain erased users. A broken
line has no user: to search those for a raw id, give it with ``--from``. The receipts also list what was not searched, as no
mapping reads it: folders of other sources, folders without an arrival hour, hidden files.

If a line of a request found nobody, here or in the lake, its id may be wrong, and the exit code is 4.

``python -m jobs.erase_landing``
"""

import bz2
import gzip
import lzma
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from jobs.cleaning.candidates import Arrival, wanted_fields
from jobs.cleaning.faults import parse_each
from jobs.cleaning.pseudonymize import SHORTEST_TELLING_ID
from jobs.landing.blank_elements import without_elements
from jobs.landing.files import HOUR, LandingFile, found_file
from jobs.landing.folders import entries, files_in, hour_folders, hour_of
from jobs.landing.readers import Bounds, Problem, read
from jobs.landing.readers.compression import compression_of, open_part
from jobs.landing.readers.frames import ELEMENT
from jobs.landing.readers.lines import rewritable
from schemas.contract import load_contract
from schemas.erasure.receipt import Landing, Receipt, nobody_found, read_receipt, receipts, write_receipt
from schemas.lake.pseudonym_key import pseudonym_key
from schemas.privacy.erasure_requests import persons_of, read_raw_ids
from schemas.privacy.suppression_list import Erased, digest_of, read_erased
from schemas.runtime.cli import log, parser_of, run_command
from schemas.runtime.errors import NobodyFound, NothingToDo
from schemas.runtime.local_files import escaped_name
from schemas.runtime.settings import Settings, get_settings
from schemas.source import SOURCES, Source, load_source

BROKEN = "a broken line"
PLACE = "landing"
"""The landing zone's name in a receipt."""
WHOLE_FILE = {
    Problem.TRUNCATED,
    Problem.UNREADABLE,
    Problem.DAMAGED,
    Problem.TOO_LARGE,
    Problem.UNKNOWN_COMPRESSION,
    Problem.TRAILING,
    Problem.CHECKSUM,
    Problem.UTF16,
    Problem.FAULT,
}
"""Problems of files that cannot be rewritten faithfully."""


@dataclass
class Lines:
    """The lines of erased users in a landing file."""

    of: dict[int, set[str]] = field(default_factory=dict)
    """Line -> the erasure requests of its users."""
    parts: dict[int, set[int]] = field(default_factory=dict)
    """Line that also holds events of other users -> the numbers of the elements to take out."""
    starts: list[int] = field(default_factory=list)
    """The lines on which records start."""
    sound: bool = True
    """Whether the file can be rewritten."""
    persons: set[str] = field(default_factory=set)
    """The pseudonyms of the erased users who were found."""


def landing_files(settings: Settings) -> Iterator[tuple[LandingFile, Source]]:
    """All event files in the landing zone whose source has a mapping."""
    for folder in entries(settings.landing_dir):
        if not has_mapping(folder.name):
            continue
        source = load_source(folder.name)
        for hour, folder_of_hour in hour_folders(folder):
            for path in files_in(folder_of_hour):
                file = found_file(source.name, path, settings.landing_dir, hour + HOUR)
                if _can_be_searched(file, source):
                    yield file, source


def _can_be_searched(file: LandingFile, source: Source) -> bool:
    """A file whose name is not text can be searched all the same, except by the Parquet reader."""
    return file.problem is None or (file.problem is Problem.BAD_NAME and source.format != "parquet" and file.path.is_file())


def not_searched(settings: Settings) -> list[str]:
    """The files that :func:`landing_files` leaves out of the landing zone, except item catalogues, which hold no users."""
    searched = {file.path for file, _ in landing_files(settings)}
    catalogues = {items.folder for path in SOURCES.glob("*.yaml") if (items := load_source(path.stem).items) is not None}
    found = []
    for top in sorted(settings.landing_dir.glob("*")):
        if top.name in catalogues:
            continue
        if not top.is_dir() or not has_mapping(top.name):
            found.append(top)
            continue
        for folder in sorted(top.iterdir()):
            if not folder.is_dir() or hour_of(folder.name) is None:
                found.append(folder)
            else:
                inside = (path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir())
                found += [path for path in inside if path not in searched]
    return [escaped_name(path.relative_to(settings.landing_dir).as_posix()) for path in found]


def has_mapping(folder: str) -> bool:
    """Whether a source mapping reads a folder of the landing zone."""
    return (SOURCES / f"{folder}.yaml").exists()


def lines_of_erased(file: LandingFile, source: Source, key: bytes, erased: Erased, raw_ids: Collection[str] = ()) -> Lines:
    """The lines of a file that belong to erased users.

    Args:
        file: the file.
        source: its mapping.
        key: key of the pseudonyms.
        erased: the users to look for.
        raw_ids: ids to search for in unreadable lines; ids too short to be unambiguous are ignored.
    """
    found, events = Lines(), load_contract("events")
    arrival = Arrival(file.source, file.relative, file.arrived_at, file.arrived_on, True)
    telling = [raw for raw in raw_ids if len(raw) >= SHORTEST_TELLING_ID]
    for raw in read(file.path, source, wanted_fields(source), bounds=Bounds.set_by(get_settings())):
        found.starts += raw["line_number"].to_list()
        found.sound &= raw.filter(pl.col("problem").is_in(list(WHOLE_FILE))).is_empty()
        parsed = parse_each(raw, source, key, arrival, events)
        lines = pl.concat([frame.select("line_number", ELEMENT, "user_id") for frame in (parsed.accepted, parsed.rejected)])
        former = parsed.former
        listed = erased.among([*lines["user_id"].unique(), *former])
        persons = {former.get(name, name): request for name, request in listed.items()}
        found.persons |= persons.keys()
        hits = lines.filter(pl.col("user_id").is_in(list(persons)))
        for line, _, user in hits.iter_rows():
            found.of.setdefault(line, set()).add(persons[user])
        if source.person_level:
            others = lines.join(hits, on=["line_number", ELEMENT], how="anti")["line_number"]
            mixed = hits.filter(pl.col("line_number").is_in(others.implode()))
            for line, element in mixed.select("line_number", ELEMENT).iter_rows():
                found.parts.setdefault(line, set()).add(element)
        for line, text in raw.filter(pl.col("line").is_not_null()).select("line_number", "line").iter_rows():
            if hit := [raw_id for raw_id in telling if raw_id in text]:
                found.of[line] = {BROKEN}
                found.persons |= {person for raw_id in hit for person in persons_of(key, raw_id)}
    found.sound &= source.format == "parquet" or rewritable(file.path, source.encoding)
    return found


def blank(path: Path, lines: Lines, source: Source) -> None:
    """Blank lines of a file by one rename: readers see either the old file or the new one.

    Args:
        path: the file.
        lines: the lines to blank, and the starts of its records.
        source: the mapping.
    """
    fresh = path.with_name(f".{path.name}.blanked")
    try:
        if source.format == "parquet":
            _blank_rows(path, fresh, lines.of)
        else:
            _blank_text(path, fresh, lines, source)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _blank_rows(path: Path, fresh: Path, rows: Collection[int]) -> None:
    with pq.ParquetFile(path) as file:
        table = file.read()
        codec = file.metadata.row_group(0).column(0).compression
    keep = pc.invert(pc.is_in(pa.array(range(1, table.num_rows + 1)), pa.array(sorted(rows), pa.int64())))
    nothing = [pa.nulls(table.num_rows, column.type) for column in table.columns]
    columns = [pc.if_else(keep, column, null) for column, null in zip(table.columns, nothing, strict=True)]
    schema = pa.schema([column.with_nullable(True) for column in table.schema])
    pq.write_table(pa.table(columns, schema=schema), fresh, compression=codec)


def _blank_text(path: Path, fresh: Path, lines: Lines, source: Source) -> None:
    """A record extends to the start of the next one: in CSV it may span several lines."""
    starts = sorted(set(lines.starts))
    following = dict(zip(starts, [*starts[1:], None], strict=True))
    blanking = False
    kind = compression_of(path)
    with open_part(path, kind) as old, _written(fresh, kind) as new:
        for number, content in enumerate(old, 1):
            if number in following:
                blanking = number in lines.of
            kept = content
            if blanking:
                parts = lines.parts.get(number)
                rest = without_elements(content, source, parts) if parts else b""
                kept = rest or b"\n"
            new.write(kept)


@contextmanager
def _written(path: Path, kind: str | None) -> Iterator[IO[bytes]]:
    """A file to write, in the compression of another."""
    with path.open("wb") as file:
        if kind == "gzip":
            with gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as packed:
                yield packed  # type: ignore[misc]
        elif kind == "zstandard":
            with zstandard.ZstdCompressor().stream_writer(file, closefd=False) as packed:
                yield packed  # type: ignore[misc]
        elif kind == "bzip2":
            with bz2.BZ2File(file, "wb") as packed:
                yield packed  # type: ignore[misc]
        elif kind == "xz":
            with lzma.LZMAFile(file, "wb") as packed:
                yield packed  # type: ignore[misc]
        else:
            yield file


def forget(settings: Settings, open_receipts: dict[str, Receipt], raw_ids: Collection[str] = ()) -> dict[str, Receipt]:
    """Search the landing zone for the users of some requests, and record the result in their receipts.

    Args:
        settings: the settings.
        open_receipts: request -> receipt.
        raw_ids: see :func:`lines_of_erased`.
    """
    key, ours = pseudonym_key(settings), settings.landing_is_ours
    known = read_erased(settings)
    erased = replace(known, requests={d: r for d, r in known.requests.items() if r in open_receipts})
    done = {request: receipt.landing or Landing(ours_to_rewrite=ours) for request, receipt in open_receipts.items()}
    missing = {"ours_to_rewrite": ours, "still_hold": [], "not_searched": not_searched(settings)}
    done = {request: landing.model_copy(update=missing, deep=True) for request, landing in done.items()}
    met: set[str] = set()
    for file, source in landing_files(settings):
        lines = lines_of_erased(file, source, key, erased, raw_ids)
        met |= {digest_of(key, person) for person in lines.persons}
        counts: dict[str, int] = defaultdict(int)
        for requests in lines.of.values():
            for concerned in done if BROKEN in requests else requests:
                counts[concerned] += 1
        for request, n in counts.items():
            if ours and lines.sound:
                done[request].lines_blanked[file.relative] = n
                write_receipt(settings, with_landing(open_receipts[request], done[request], met))
            else:
                done[request].still_hold.append(file.relative)
        if not lines.sound:
            log.warning("a damaged or too large file, not searched as a whole", file=file.relative)
        if counts and ours and lines.sound:
            blank(file.path, lines, source)
    answer = {request: with_landing(receipt, done[request], met) for request, receipt in open_receipts.items()}
    for receipt in answer.values():
        write_receipt(settings, receipt)
    return answer


def with_landing(receipt: Receipt, landing: Landing, met: Collection[str]) -> Receipt:
    """A receipt with the findings in the landing zone.

    Args:
        receipt: the receipt.
        landing: the findings.
        met: the digests of the persons who were found in the landing zone.
    """
    lines = [
        line.model_copy(update={"found_in": sorted({*line.found_in, PLACE})}) if line.person in met else line
        for line in receipt.lines
    ]
    return receipt.model_copy(update={"landing": landing, "lines": lines})


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Search the landing zone for all erasures that are not done there yet."""
    parser = parser_of(__doc__, "python -m jobs.erase_landing --from ids.txt")
    parser.add_argument("--all", action="store_true", help="search again for every erasure ever requested")
    parser.add_argument("--from", dest="file", metavar="FILE", help="raw user ids to find in broken lines; - is standard input")
    args = parser.parse_args(argv)
    settings = get_settings()
    known = [read_receipt(path) for path in receipts(settings)]
    waiting = {receipt.request: receipt for receipt in known if args.all or args.file or _waits(receipt, settings)}
    if not waiting:
        raise NothingToDo("every erasure is done in the landing zone; there is nothing to do")
    answer = forget(settings, waiting, list(read_raw_ids(args.file).values()) if args.file else [])
    landing = {request: receipt.landing for request, receipt in answer.items() if receipt.landing is not None}
    holding = sorted({file for found in landing.values() for file in found.still_hold})
    if holding:
        log.warning("landing files still contain erased users", files=len(holding))
    if left_out := sorted({place for found in landing.values() for place in found.not_searched}):
        log.warning("no mapping reads these places of the landing zone; they were not searched", places=", ".join(left_out))
    if missed := {request: lines for request, receipt in sorted(answer.items()) if (lines := nobody_found(receipt))}:
        raise NobodyFound(
            f"{sum(map(len, missed.values()))} lines of erasure requests found nobody, neither in the lake nor in the landing "
            f"zone; see the receipts of {', '.join(missed)} in {settings.erasures}; "
            "compare these ids with those of the source, also upper and lower case, and make the request again; "
            "--from also searches broken lines"
        )
    return {
        "requests": sorted(landing),
        "lines_blanked": sum(sum(found.lines_blanked.values()) for found in landing.values()),
        "still_hold": holding,
        "not_searched": left_out,
    }


def _waits(receipt: Receipt, settings: Settings) -> bool:
    """Whether a receipt lacks a search of the landing zone, or lists files that the settings allow to change now."""
    return receipt.landing is None or (settings.landing_is_ours and not receipt.landing.ours_to_rewrite)


if __name__ == "__main__":
    raise SystemExit(run_command(main))
