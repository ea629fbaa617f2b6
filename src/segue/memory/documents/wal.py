"""Write-ahead logging: SQLite's switch to it ignores the busy timeout, so two who start at once have to take turns."""

from __future__ import annotations

import sqlite3
import time

_PAUSE_S = 0.01


def use_wal(db: sqlite3.Connection, *, patience_s: float = 10.0) -> None:
    """Switch the file to write-ahead logging, where it is not there yet. Blocks: call it in a thread.

    Raises:
        sqlite3.OperationalError: Another connection held the file for longer than `patience_s`.
    """
    ends_at = time.monotonic() + patience_s
    while True:
        try:
            if db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > ends_at:
                raise
            time.sleep(_PAUSE_S)
