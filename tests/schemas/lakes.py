"""A small lake with three persons in every personal table, published like jobs publish."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

import pyarrow as pa

from schemas.contract import load_contract
from schemas.lake.lake import Lake
from schemas.lake.pseudonym_key import expect_key, pseudonym_key
from schemas.privacy.pseudonyms import pseudonym
from schemas.publishing import publish
from schemas.publishing.audit_record import AuditRecord, RuleResult, write_audit
from schemas.publishing.staging import open_attempt, read_manifest
from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import Settings, get_settings

DAYS = [date(2026, 11, 18) + timedelta(days=i) for i in range(3)]
RAW = ("anna@people.example", "bela@people.example", "zora@people.example")
FIELD = {"rejects": "arrived_on", "events": "arrived_on", "sessions": "closed_on", "session_events": "closed_on",
         "profiles": "as_of", "recommendations": "served_on", "creatives": "served_on", "conflicts": "closed_on"}  # fmt: skip


def person(raw: str) -> str:
    return pseudonym(pseudonym_key(get_settings()), raw)


def first_publishes(machines: Sequence[Settings]) -> list[bool]:
    """Four concurrent first publishes by each of two machines that share a new lake; whether each was accepted."""

    def publishes(machine: Settings) -> bool:
        try:
            expect_key(Lake(machine).catalog, machine, None)
        except ConfigError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(publishes, [*machines] * 4))


def moment(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def row_of(table: str, raw: str, day: date, n: int) -> dict[str, Any]:
    """One row of a person in a personal table."""
    who, event = person(raw), f"{raw[0]}-{day}-{n}"
    session = sha256(f"{raw}{day}".encode()).hexdigest()[:32]
    base = {"user_id": who, "event_id": event, "event_type": "view", "event_time": moment(day, 9), "event_date": day,
            "item_id": "i1", "source": "shop", "arrived_on": day}  # fmt: skip
    landed = {"source_file": f"shop/arrived={day}T10/{raw[0]}.jsonl", "line_number": n + 1, "arrived_at": moment(day, 11)}
    match table:
        case "events":
            return base | landed | {"lag_seconds": 7200.0, "days_late": 0}
        case "rejects":
            line = f'{{"user_id":"{who}","event_type":"jump"}}'
            return {"arrived_on": day, "source": "shop", **landed, "element": 0, "reasons": ["event_type.unknown"],
                    "line": line, "candidate": base | landed | {"event_type": None}}  # fmt: skip
        case "sessions":
            return {"closed_on": day, "session_id": session, "user_id": who, "started_at": moment(day, 9),
                    "ended_at": moment(day, 9), "duration_s": 0.0, "n_events": 1, "n_items": 1,
                    "first_event_id": event, "last_event_id": event}  # fmt: skip
        case "session_events":
            return base | {"closed_on": day, "session_id": session, "position": n}
        case "profiles":
            return {"as_of": day, "user_id": who, "n_events": 1, "first_seen": moment(day, 9), "last_seen": moment(day, 9),
                    "recency_days": 0, "active_days": 1, "value_sum": 0.0, "segment": "new"}  # fmt: skip
        case "recommendations":
            return {"served_on": day, "user_id": who, "rank": n + 1, "item_id": f"i{n}", "score": 1.0, "reason": "liked",
                    "propensity": 1.0, "model_name": "recommender", "model_version": "1"}  # fmt: skip
        case "creatives":
            return {"served_on": day, "user_id": who, "item_id": f"i{n}", "headline": "Look", "body": "Here.",
                    "origin": "template", "language_model": "none", "checks": ["length"], "seed": 1}  # fmt: skip
        case _:
            return {"closed_on": day, "source": "shop", "event_id": event, "user_id": who, "arrived_on": day,
                    "kept": base | landed, "refused": base | landed}  # fmt: skip


def rows_of(table: str, people: Sequence[str], day: date, each: int = 2) -> pa.Table:
    return pa.Table.from_pylist(
        [row_of(table, raw, day, n) for raw in people for n in range(each)], schema=load_contract(table).arrow_schema
    )


def stage(table: str, day: date, people: Sequence[str] = RAW, run: str | None = None, each: int = 1) -> str:
    """Stage a day of a table; returns the run."""
    run = run or f"{table}-{day}"
    with open_attempt("test", run, {}) as attempt:
        each = 1 if table in ("sessions", "profiles") else each
        attempt.write_arrow(table, rows_of(table, people, day, each), replaces=(FIELD[table], [day]))
        attempt.note(records=1000, set_aside=0)
    return run


def write_day(table: str, day: date, people: Sequence[str] = RAW, run: str | None = None, each: int = 1) -> None:
    """Stage and publish a day of a table with a faked audit; these tests do not need Great Expectations."""
    run = stage(table, day, people, run, each)
    pass_audit(run)
    publish.main(["--job", "test", "--run", run])


def pass_audit(run: str, job: str = "test") -> None:
    """Record that a run has met every rule, without looking."""
    manifest = read_manifest(job, run)
    passed = {name: [_met(*rule) for rule in load_contract(name).sentences.items()] for name in manifest.tables}
    write_audit(AuditRecord(job=job, run=run, manifest=manifest.digest, passed=True, docs="none", tables=passed))


def _met(rule: str, sentence: str) -> RuleResult:
    return RuleResult(rule=rule, sentence=sentence, severity="error", passed=True)
