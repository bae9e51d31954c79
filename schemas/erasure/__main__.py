"""Erase persons from the lake, by their raw ids, and write a receipt.

Pass the ids in a file or on standard input (``-``): arguments are visible in the process list while the command runs.

``python -m schemas.erasure --from requests.txt --date 2026-11-20``

The receipt says for each line where somebody was found. If a line found nobody, its id may be wrong, and the exit code is 4.

Afterwards, ``python -m jobs.erase_landing`` cleans the landing zone and ``python -m ml.mark_erased`` marks the models. If the
command was killed, run it again, or run it with ``--pending``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.contract import load_contract, table_names
from schemas.erasure.pages import paint_over
from schemas.erasure.progress import Progress, TableProgress, forget_progress, read_progress, write_progress
from schemas.erasure.receipt import ErasedFrom, Receipt, ReceiptLine, nobody_found, read_receipt, write_receipt
from schemas.erasure.reports import forget_reports
from schemas.erasure.tables import forget_snapshots, rewrite_table, sweep
from schemas.lake.lake import Lake, open_lake
from schemas.lake.pseudonym_key import pseudonym_key
from schemas.maintenance.lock import maintenance_lock
from schemas.privacy.erasure_requests import Request, numbered_ids, pending, read_raw_ids, read_request, write_request
from schemas.privacy.personal_data import is_personal
from schemas.privacy.suppression_list import digest_of, mark_erased
from schemas.runtime.cli import day, log, parser_of, run_command
from schemas.runtime.errors import NobodyFound, NothingToDo
from schemas.runtime.settings import Settings, get_settings
from schemas.runtime.version import code_version

SHOWN_LINES = 10


def erase(lake: Lake, settings: Settings, request: Request) -> Path:
    """Erase the persons of a request.

    Args:
        lake: the lake.
        settings: the settings of the lake.
        request: the request.

    Returns:
        Path of the receipt.
    """
    progress = read_progress(settings, request)

    def save() -> None:
        write_progress(request, progress)

    save()
    for person in request.persons:  # first of all: from now on, publish refuses their rows
        mark_erased(settings, person, request.id)
    for name in table_names():
        if is_personal(load_contract(name)):
            found = progress.of(name)
            if lake.exists(name):
                rewrite_table(lake, name, request, found, save)
                forget_snapshots(lake, name, request, found, save)
            sweep(lake, name, request, found, save)
    progress.pages |= set(forget_reports(settings, request.persons))
    painted = paint_over(settings, request.persons)
    progress.pages |= set(painted.done)
    for place, people in painted.persons.items():
        progress.persons[place] = progress.persons.get(place, set()) | people
    save()
    path = write_receipt(settings, receipt_of(settings, request, progress, painted.elsewhere))
    forget_progress(request)
    request.path.unlink(missing_ok=True)
    log.info("erased", request=request.id, persons=len(request.persons), receipt=str(path))
    return path


def receipt_of(settings: Settings, request: Request, progress: Progress, elsewhere: list[str]) -> Receipt:
    """Make the receipt of a request, including the earlier receipt if the same request was made before.

    Args:
        settings: the settings, with the key of the pseudonyms.
        request: the request.
        progress: the findings of this erasure.
        elsewhere: files that hold a pseudonym but are not text files.
    """
    before = progress.before
    tables = dict(before.tables) if before else {}
    for name, found in progress.tables.items():
        if found.rows or found.snapshots or found.deleted:
            tables[name] = with_progress(tables.get(name, ErasedFrom()), found)
    return Receipt(
        request=request.id,
        on=before.on if before else request.on,
        persons=len({line.persons[-1] for line in request.lines}),
        lines=receipt_lines(settings.pseudonym_secret(), request, progress),
        code_version=code_version(),
        tables=dict(sorted(tables.items())),
        pages_painted_over=sorted(progress.pages | set(before.pages_painted_over if before else ())),
        files_elsewhere=elsewhere,
        landing=before.landing if before else None,
        model_versions=before.model_versions if before else None,
    )


def receipt_lines(key: bytes, request: Request, progress: Progress) -> list[ReceiptLine]:
    """For each line of a request, where somebody was found, now or by an earlier identical request.

    Args:
        key: the key of the pseudonyms.
        request: the request.
        progress: the findings of this erasure.
    """
    met = {name: table.persons for name, table in progress.tables.items()} | progress.persons
    before = {line.person: line.found_in for line in progress.before.lines} if progress.before else {}
    lines = []
    for line in request.lines:
        person = digest_of(key, line.persons[-1])
        found = {place for place, persons in met.items() if persons & set(line.persons)} | set(before.get(person, ()))
        lines.append(ReceiptLine(line=line.number, person=person, is_pseudonym=line.is_pseudonym, found_in=sorted(found)))
    return lines


def with_progress(earlier: ErasedFrom, found: TableProgress) -> ErasedFrom:
    """Add the findings of this erasure to those of an earlier receipt.

    Args:
        earlier: the table's entry in the earlier receipt; empty if there is none.
        found: the findings of this erasure.

    >>> with_progress(ErasedFrom(rows=2), TableProgress(rows={"a.parquet": 3})).rows
    5
    """
    return ErasedFrom(
        rows=earlier.rows + sum(found.rows.values()),
        files_rewritten=earlier.files_rewritten + len(found.rows),
        files_deleted=earlier.files_deleted + len(found.deleted),
        snapshots=sorted({*earlier.snapshots, *found.snapshots}),
        tags=sorted({*earlier.tags, *found.tags}),
    )


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Erase persons, or finish pending erasures."""
    parser = parser_of(__doc__, "python -m schemas.erasure --from ids.txt")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--from", dest="file", metavar="FILE", help="file with raw user ids, one per line; - is standard input")
    who.add_argument("--raw-id", help="one raw user id")
    who.add_argument("--pending", action="store_true", help="finish pending requests")
    parser.add_argument(
        "--landing-follows",
        action="store_true",
        help="end with 0 although a line found nobody: jobs.erase_landing, which runs next, then ends with 4",
    )
    parser.add_argument("--date", type=day, help="the day of the request, YYYY-MM-DD")
    args = parser.parse_args(argv)
    settings = get_settings()
    if args.pending and not pending(settings):
        raise NothingToDo("no erasure is pending; there is nothing to do")
    pseudonym_key(settings)  # with another key, nobody would be found
    if not args.pending:
        if args.date is None:
            parser.error("--date is required")
        raw_ids = numbered_ids([args.raw_id]) if args.file is None else read_raw_ids(args.file)
        write_request(settings, raw_ids, args.date)
    with maintenance_lock():
        requests = [read_request(settings, path) for path in pending(settings)]
        if not requests:
            raise NothingToDo("no erasure is pending; there is nothing to do")
        lake = open_lake(settings)
        done = [erase(lake, settings, request) for request in requests]
    if not args.landing_follows:
        expect_somebody(done)
    return {"receipts": {str(path): read_receipt(path).model_dump(mode="json") for path in done}}


def expect_somebody(done: Sequence[Path]) -> None:
    """Report lines of finished requests that found nobody.

    Raises:
        NobodyFound: there are such lines.
    """
    for path in done:
        if missed := nobody_found(receipt := read_receipt(path)):
            pseudonyms = [line.line for line in receipt.lines if line.is_pseudonym and not line.found_in]
            raise NobodyFound(
                f"{len(missed)} of {len(receipt.lines)} lines of the request found nobody in the lake: {as_text(missed)}"
                f"{f' (pseudonyms instead of raw ids: {as_text(pseudonyms)})' if pseudonyms else ''}; see {path}; "
                "compare these ids with those of the source, also upper and lower case, and run the same command again, "
                "or run `python -m jobs.erase_landing` for persons whose lines were not cleaned yet"
            )


def as_text(lines: Sequence[int]) -> str:
    """Line numbers for a message.

    >>> as_text([2, 5]), as_text(range(1, 1000))
    ('line 2, 5', 'line 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ...')
    """
    return f"line {', '.join(map(str, lines[:SHOWN_LINES]))}{', ...' if len(lines) > SHOWN_LINES else ''}"


if __name__ == "__main__":
    raise SystemExit(run_command(main))
