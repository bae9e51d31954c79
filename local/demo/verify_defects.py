"""Checks whether every planted defect was found, by its file and line in the tables."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from local.movielens.defects import LINES
from schemas.outcomes import Defect, Outcome
from schemas.runtime.errors import ClickwrightError

Place = tuple[str, int]


@dataclass
class Finding:
    """The outcome of the planted lines of one kind; ``reasons`` counts the reasons of the rejects."""

    kind: str
    what: str
    expected: str
    planted: int = 0
    found: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return self.found == self.planted


def read_planted(path: Path) -> list[dict[str, Any]]:
    """The planted defects, as ``local.movielens`` or ``local.shop`` recorded them.

    Raises:
        ClickwrightError: the record does not exist.
    """
    if not path.exists():
        raise ClickwrightError(f"the record of the planted defects is missing; at {path}; run `make demo` again")
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["defects"]
    return found


def verify(planted: Iterable[dict[str, Any]], events: pa.Table, rejects: pa.Table) -> list[Finding]:
    """Look up every planted line in the tables.

    Args:
        planted: entries of ``planted.json`` and ``shop.json``.
        events: ``source_file``, ``line_number``, ``days_late`` of the events.
        rejects: ``source_file``, ``line_number``, ``reasons`` of the rejects.
    """
    late: dict[Place, int | None] = dict(zip(_places(events), events["days_late"].to_pylist(), strict=True))
    refused: dict[Place, list[str]] = dict(zip(_places(rejects), rejects["reasons"].to_pylist(), strict=True))
    planted = list(planted)
    kinds = {*LINES, *(Defect(entry["kind"]) for entry in planted)}
    findings = {kind: Finding(kind.value, kind.description, kind.expected.value) for kind in Defect if kind in kinds}
    for entry in planted:
        finding = findings[Defect(entry["kind"])]
        finding.planted += 1
        place = (entry["file"], entry["line"])
        match Outcome(entry["expected"]):
            case Outcome.REJECT:
                found = place in refused and place not in late
            case Outcome.EVENT:  # a late one
                found = (late.get(place) or 0) >= 1
            case Outcome.EXACT_DUPLICATE | Outcome.NEAR_DUPLICATE:  # one of the two is an event, the other was only counted
                twin = (entry["original"]["file"], entry["original"]["line"])
                found = ((place in late) != (twin in late)) and place not in refused and twin not in refused
        for reason in refused.get(place, []):
            finding.reasons[reason] = finding.reasons.get(reason, 0) + 1
        finding.found += found
        if not found:
            finding.missed.append(f"{place[0]}:{place[1]}")
    return list(findings.values())


def _places(table: pa.Table) -> list[Place]:
    files, numbers = table["source_file"].to_pylist(), table["line_number"].to_pylist()
    return list(zip(files, numbers, strict=True))
