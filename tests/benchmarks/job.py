"""The job of all engines, and its constants.

Read minimal Parquet events. Drop rows without user, time or id, of an unknown type, or with a time out of range. Deduplicate
by event id. Sessionise by three rules: a pause of more than 30 minutes starts a session (exactly 30 minutes does not); a chain
is cut at every midnight that it crosses, except the first; the session id is made from the user and the first event. Write the
events with session and position, and one row per session, as Parquet with zstd.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

COLUMNS = ["event_id", "user_id", "event_type", "event_time", "item_id"]
EVENT_COLUMNS = [*COLUMNS, "session_id", "position"]
SESSION_COLUMNS = ["user_id", "session_id", "started_at", "ended_at", "n_events"]
EVENT_TYPES = ["impression", "view", "search", "click", "cart", "purchase", "rating", "like", "comment"]
GAP = timedelta(minutes=30)
GAP_MICROS = GAP // timedelta(microseconds=1)
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
ID_DIGITS = 32
SEPARATOR = "\x1f"
EVENTS, SESSIONS = "events", "sessions"
THREADS = 2
HEAP = "5g"


def input_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"))
