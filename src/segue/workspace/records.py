"""Records of runs: one row a run, from its start to its end, in the workspace's own SQLite file.

The state of a run is in its checkpoints; here is what one needs to find it again, and what came of it.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import orjson

from segue.agents.run import RunRecord
from segue.base.stores import BUSY_S, store_errors, use_wal

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    tenant TEXT NOT NULL, run_id TEXT NOT NULL, thread_id TEXT NOT NULL, agent TEXT NOT NULL, status TEXT NOT NULL,
    started_at REAL NOT NULL, updated_at REAL NOT NULL, record BLOB NOT NULL, PRIMARY KEY (tenant, run_id)
);
CREATE INDEX IF NOT EXISTS runs_by_start ON runs (tenant, started_at);
"""


class RunRecords:
    """The records, by tenant and run. Safe from any thread."""

    def __init__(self, path: Path | str) -> None:
        self._path = str(path)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(str(path), check_same_thread=False, timeout=BUSY_S)
        use_wal(self._db)
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.executescript(_SCHEMA)

    def save(self, record: RunRecord) -> None:
        """Keep the record as it is now."""
        row = (
            record.tenant, record.run_id, record.thread_id, record.agent, record.status, record.started_at,
            record.updated_at, orjson.dumps(record, default=str),
        )  # fmt: skip
        with store_errors(self._path), self._lock, self._db:
            self._db.execute("INSERT OR REPLACE INTO runs VALUES (?,?,?,?,?,?,?,?)", row)

    def get(self, tenant: str, run_id: str) -> RunRecord | None:
        """The record of a run; `None` where this tenant has none of this id."""
        with store_errors(self._path), self._lock:
            row = self._db.execute(
                "SELECT record FROM runs WHERE tenant = ? AND run_id = ?", (tenant, run_id)
            ).fetchone()
        return RunRecord(**orjson.loads(row[0])) if row else None

    def newest(self, tenant: str, *, limit: int = 20, thread_id: str | None = None) -> list[RunRecord]:
        """The newest runs of a tenant, newest first."""
        where, values = "tenant = ?", [tenant]
        if thread_id is not None:
            where, values = f"{where} AND thread_id = ?", [*values, thread_id]
        with store_errors(self._path), self._lock:
            rows = self._db.execute(
                f"SELECT record FROM runs WHERE {where} ORDER BY started_at DESC, run_id DESC LIMIT ?",
                (*values, limit),
            ).fetchall()
        return [RunRecord(**orjson.loads(row[0])) for row in rows]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
