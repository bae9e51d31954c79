"""DuckDB with SQL only.

``python tests/benchmarks/engines/duckdb_sql.py INPUT OUTPUT`` with the Python of ``.venv-bench``.
"""

import sys
from pathlib import Path

import duckdb

from tests.benchmarks.job import COLUMNS, EARLIEST, EVENT_TYPES, EVENTS, GAP_MICROS, ID_DIGITS, LATEST, SESSIONS, THREADS

RULES = f"""
WITH sound AS (
    SELECT {", ".join(COLUMNS)} FROM read_parquet($source)
    WHERE event_id IS NOT NULL AND user_id IS NOT NULL AND event_type IN {tuple(EVENT_TYPES)}
      AND event_time BETWEEN TIMESTAMPTZ '{EARLIEST.isoformat()}' AND TIMESTAMPTZ '{LATEST.isoformat()}'
), once AS (
    SELECT DISTINCT ON (event_id) * FROM sound
), chains AS (
    SELECT *, event_time::DATE AS day,
        coalesce(epoch_us(event_time) - lag(epoch_us(event_time)) OVER w > {GAP_MICROS}, true) AS new_chain,
        lag(event_time::DATE) OVER w AS day_before, row_number() OVER w AS number
    FROM once WINDOW w AS (PARTITION BY user_id ORDER BY event_time, event_id)
), days AS (
    SELECT *, last_value(CASE WHEN new_chain THEN day END IGNORE NULLS) OVER w AS first_day
    FROM chains WINDOW w AS (PARTITION BY user_id ORDER BY number)
), starting AS (
    SELECT *, new_chain OR (day <> day_before AND day - first_day >= 2) AS starts FROM days
)
SELECT {", ".join(COLUMNS)},
    last_value(CASE WHEN starts THEN left(sha256(user_id || chr(31) || event_id), {ID_DIGITS}) END IGNORE NULLS) OVER w
        AS session_id,
    (number - last_value(CASE WHEN starts THEN number END IGNORE NULLS) OVER w)::INTEGER AS position
FROM starting WINDOW w AS (PARTITION BY user_id ORDER BY number)
"""
SUMMARY = """
SELECT user_id, session_id, min(event_time) AS started_at, max(event_time) AS ended_at, count(*)::INTEGER AS n_events
FROM read_parquet($events) GROUP BY user_id, session_id
"""


def main(source: Path, target: Path) -> None:
    (target / EVENTS).mkdir(parents=True)
    (target / SESSIONS).mkdir()
    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}; SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
    events = str(target / EVENTS / "part.parquet")
    form = "(FORMAT parquet, COMPRESSION zstd)"
    connection.execute(f"COPY ({RULES}) TO '{events}' {form}", {"source": str(source / "*.parquet")})
    connection.execute(f"COPY ({SUMMARY}) TO '{target / SESSIONS / 'part.parquet'}' {form}", {"events": events})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
