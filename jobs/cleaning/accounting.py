"""The accounting of a cleaning run: records = events + rejects + duplicates, and one row for each landing file.

A record is a line, or, with ``each`` in the mapping, an element of a list in a line.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from jobs.cleaning.candidates import CUT, REDACTED
from jobs.landing.files import LandingFile
from schemas.contract import load_contract
from schemas.outcomes import Outcome
from schemas.runtime.errors import ClickwrightError


def landing_rows(results: list[dict[str, Any]], files: Sequence[LandingFile], arrived_on: date) -> pa.Table:
    """Rows of ``landing_files``: each file that was read, with its size, lines and digest.

    Args:
        results: the results of :func:`jobs.cleaning.stages.decide_and_write`, of all buckets.
        files: the landing files, in the order of their numbers in ``results``.
        arrived_on: the arrival day.
    """
    lines, digests = Counter[int](), dict[int, str]()
    for number, _, count, sha256, *_ in (row for result in results for row in result["read"]):
        lines[number] += count
        digests |= {number: sha256} if sha256 else {}
    rows = [
        {
            "arrived_on": arrived_on,
            "source_file": file.relative,
            "source": file.source,
            "arrived_at": file.arrived_at,
            "bytes": file.size,
            "lines": lines[number],
            "sha256": digests[number],
        }
        for number, file in enumerate(files)
    ]
    return pa.Table.from_pylist(rows, schema=load_contract("landing_files").arrow_schema)


def digest_of(landed: pa.Table) -> dict[str, Any]:
    """The commit's note on the landing files: their total bytes, and one digest of all their names and contents."""
    listed = "".join(f"{row['sha256']}  {row['source_file']}\n" for row in landed.sort_by("source_file").to_pylist())
    return {"bytes": sum(landed["bytes"].to_pylist()), "sha256": hashlib.sha256(listed.encode()).hexdigest()}


def accounts(results: list[dict[str, Any]], files: Sequence[LandingFile], pieces: int) -> dict[str, Any]:
    """Add up lines and records by outcome and by reason, and check that none is missing.

    Records are counted when they are read, and again when their outcome is decided, on the other side of the exchange.

    Args:
        results: the results of all buckets.
        files: the landing files, in the order of their numbers in ``results``.
        pieces: how many files, or pieces of files, the tasks had to read.

    Raises:
        ClickwrightError: a file changed while it was read, or records are missing.
    """
    read = {(file, piece): of_piece for result in results for file, piece, *of_piece in result["read"]}
    for (number, _), (_, _, changed, *_) in sorted(read.items()):
        if changed:
            raise ClickwrightError(
                f"a landing file changed while it was read; {files[number].path}; "
                "nothing was published: run `python -m jobs.clean` for the day again"
            )
    outcomes, reasons, changed = Counter[str](), Counter[str](), Counter[str]()
    for result in results:
        outcomes.update(
            {outcome: result.get(outcome, 0) for outcome in Outcome} | {n: result[n] for n in ("late", "set_aside")}
        )
        reasons.update(result["reasons"])
        for change, texts in result["changed"]:
            changed[change] += texts
    figures = {
        "lines_read": sum(lines for lines, *_ in read.values()),
        "records": sum(records for *_, records, _ in read.values()),
        "events": outcomes[Outcome.EVENT],
        "rejects": outcomes[Outcome.REJECT],
        "duplicates": outcomes[Outcome.EXACT_DUPLICATE] + outcomes[Outcome.NEAR_DUPLICATE],
        "exact_duplicates": outcomes[Outcome.EXACT_DUPLICATE],
        "near_duplicates": outcomes[Outcome.NEAR_DUPLICATE],
        "late_events": outcomes["late"],
        "set_aside": outcomes["set_aside"],
        "elements_left_out": sum(left_out for *_, left_out in read.values()),
        "reasons": dict(sorted(reasons.items())),
        **changes(changed),
    }
    accounted = figures["events"] + figures["rejects"] + figures["duplicates"]
    if figures["records"] != accounted or len(read) != pieces:
        raise ClickwrightError(
            f"{figures['records']} records of {len(read)} files or pieces were read, but {accounted} records of {pieces} are "
            "accounted for; in jobs.clean; this is a fault of the job: nothing was published"
        )
    return figures


def changes(changed: Counter[str]) -> dict[str, dict[str, int]]:
    """Figures of texts that lost something: personal data by its kind, and the end of texts that were too long by column.

    Args:
        changed: the counts of :class:`jobs.cleaning.candidates.Parsed`.

    >>> changes(Counter({"redacted.email": 2, "cut.surface": 1}))
    {'redacted_texts': {'email': 2}, 'cut_texts': {'surface': 1}}
    """
    return {
        name: {what.partition(".")[2]: count for what, count in sorted(changed.items()) if what.startswith(f"{kind}.")}
        for name, kind in (("redacted_texts", REDACTED), ("cut_texts", CUT))
    }
