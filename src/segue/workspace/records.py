"""Records of runs: one row a run, from its start to its end, in the workspace's own SQLite file.

The state of a run is in its checkpoints; here is what one needs to find it again, and what came of it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from segue.agents.run import RunRecord, RunStatus
from segue.base.errors import StoreError
from segue.base.stores import BUSY_S, store_errors, use_wal
from segue.workspace.trajectory import add_step

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    tenant TEXT NOT NULL, run_id TEXT NOT NULL, thread_id TEXT NOT NULL, agent TEXT NOT NULL, status TEXT NOT NULL,
    started_at REAL NOT NULL, updated_at REAL NOT NULL, record BLOB NOT NULL, PRIMARY KEY (tenant, run_id)
);
CREATE INDEX IF NOT EXISTS runs_by_start ON runs (tenant, started_at);
CREATE INDEX IF NOT EXISTS runs_by_thread ON runs (tenant, thread_id, started_at);
CREATE INDEX IF NOT EXISTS runs_running ON runs (tenant, thread_id) WHERE status = 'running';
CREATE TABLE IF NOT EXISTS spent (
    tenant TEXT NOT NULL, run_id TEXT NOT NULL, spending BLOB NOT NULL, PRIMARY KEY (tenant, run_id)
);
CREATE TABLE IF NOT EXISTS steps (tenant TEXT NOT NULL, run_id TEXT NOT NULL, step BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS steps_by_run ON steps (tenant, run_id);
"""
_BLOCK_S = 0.05
"""How long a write may hold up the event loop before it is tried again later."""
_PAUSE_S = 0.02


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
        self._db.execute(f"PRAGMA busy_timeout={int(_BLOCK_S * 1000)}")
        self._file = os.stat(self._path)

    async def keep(self, record: RunRecord, *, patience_s: float = BUSY_S) -> None:
        """Keep the record as it is now; other tasks go on while another process holds the file.

        Raises:
            StoreError: It cannot be written, or was held for longer than `patience_s`.
        """
        ends_at = time.monotonic() + patience_s
        while True:
            try:
                return self.save(record)
            except StoreError as error:
                if not _is_lock(error) or time.monotonic() > ends_at:
                    raise
            await asyncio.sleep(_PAUSE_S)

    def save(self, record: RunRecord) -> None:
        """Keep the record as it is now, at once or not at all.

        Raises:
            StoreError: It cannot be written.
        """
        row = _row(record)
        self._must_be_there()
        with store_errors(self._path), self._lock, self._db:
            self._db.execute("INSERT OR REPLACE INTO runs VALUES (?,?,?,?,?,?,?,?)", row)
            self._db.execute("DELETE FROM steps WHERE tenant = ? AND run_id = ?", row[:2])  # they are in the record
            if record.status != "running":
                self._db.execute("DELETE FROM spent WHERE tenant = ? AND run_id = ?", row[:2])

    def add(self, record: RunRecord) -> bool:
        """Keep the record of a run that is new; `False` where there is one of this id already, which stays.

        Raises:
            StoreError: It cannot be written.
        """
        self._must_be_there()
        with store_errors(self._path), self._lock, self._db:
            done = self._db.execute("INSERT OR IGNORE INTO runs VALUES (?,?,?,?,?,?,?,?)", _row(record))
        return done.rowcount == 1

    def note_spent(self, tenant: str, run_id: str, spending: dict[str, Any]) -> None:
        """Keep what a run that goes on has spent, so that a kill does not lose it; passed over where that cannot be."""
        with suppress(sqlite3.Error), self._lock, self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO spent VALUES (?,?,?)", (tenant, run_id, orjson.dumps(spending, default=str))
            )

    def note_step(self, tenant: str, run_id: str, step: dict[str, Any]) -> None:
        """Keep a step of a run that goes on, so that a kill does not lose it; passed over where that cannot be."""
        with suppress(sqlite3.Error), self._lock, self._db:
            self._db.execute("INSERT INTO steps VALUES (?,?,?)", (tenant, run_id, orjson.dumps(step, default=str)))

    def get(self, tenant: str, run_id: str) -> RunRecord | None:
        """The record of a run; `None` where this tenant has none of this id."""
        found = self._read("tenant = ? AND run_id = ?", (tenant, run_id), 1)
        return found[0] if found else None

    def newest(self, tenant: str, *, limit: int = 20, thread_id: str | None = None) -> list[RunRecord]:
        """The newest runs of a tenant, newest first."""
        if thread_id is None:
            return self._read("tenant = ?", (tenant,), limit)
        return self._read("tenant = ? AND thread_id = ?", (tenant, thread_id), limit)

    def running(self, tenant: str, *, thread_id: str | None = None) -> list[RunRecord]:
        """The runs that are written down as running, newest first; those whose process died are among them."""
        rows = "runs INDEXED BY runs_running"  # else the order is served first, by reading all runs of the thread
        if thread_id is None:
            return self._read("tenant = ? AND status = 'running'", (tenant,), -1, rows=rows)
        where = "tenant = ? AND thread_id = ? AND status = 'running'"
        return self._read(where, (tenant, thread_id), -1, rows=rows)

    def with_status(self, tenant: str, status: RunStatus, *, limit: int = 100) -> list[RunRecord]:
        """The newest runs of a tenant that are written down with a status, newest first."""
        return self._read("tenant = ? AND status = ?", (tenant, status), limit)

    def forget_thread(self, tenant: str, thread_id: str) -> int:
        """Take out the records of a thread's runs; how many.

        Raises:
            StoreError: They cannot be taken out.
        """
        self._must_be_there()
        whose = (tenant, thread_id)
        with store_errors(self._path), self._lock, self._db:
            of_thread = "tenant = ? AND run_id IN (SELECT run_id FROM runs WHERE tenant = ? AND thread_id = ?)"
            self._db.execute(f"DELETE FROM spent WHERE {of_thread}", (tenant, *whose))
            self._db.execute(f"DELETE FROM steps WHERE {of_thread}", (tenant, *whose))
            return self._db.execute("DELETE FROM runs WHERE tenant = ? AND thread_id = ?", whose).rowcount

    def threads(self, tenant: str, *, limit: int = 20) -> list[tuple[str, int, float]]:
        """The threads of a tenant with the number of their runs and when the last one changed, newest first."""
        with store_errors(self._path), self._lock:
            return self._db.execute(
                "SELECT thread_id, count(*), max(updated_at) AS last FROM runs WHERE tenant = ? "
                "GROUP BY thread_id ORDER BY last DESC LIMIT ?",
                (tenant, limit),
            ).fetchall()

    def _read(self, where: str, values: tuple[Any, ...], limit: int, *, rows: str = "runs") -> list[RunRecord]:
        query = f"SELECT record FROM {rows} WHERE {where} ORDER BY started_at DESC, run_id DESC LIMIT ?"
        with store_errors(self._path), self._lock:
            found = self._db.execute(query, (*values, limit)).fetchall()
        return [self._so_far(RunRecord(**orjson.loads(row[0]))) for row in found]

    def _so_far(self, record: RunRecord) -> RunRecord:
        """A record that says `running`, with what was spent and done since it was kept."""
        if record.status != "running":
            return record
        of_run = "WHERE tenant = ? AND run_id = ?"
        whose = (record.tenant, record.run_id)
        with store_errors(self._path), self._lock:
            spent = self._db.execute(f"SELECT spending FROM spent {of_run}", whose).fetchone()
            steps = self._db.execute(f"SELECT step FROM steps {of_run} ORDER BY rowid", whose).fetchall()
        record.usage = orjson.loads(spent[0]) if spent else record.usage
        for row in steps:
            add_step(record.trajectory, orjson.loads(row[0]))
        return record

    def _must_be_there(self) -> None:
        """SQLite goes on writing into a file that was taken away; what it wrote would be gone with it."""
        try:
            if os.path.samestat(os.stat(self._path), self._file):
                return
        except OSError:
            pass
        error = StoreError(f"{self._path} is not there any more.", way_out="Bring it back, or open the workspace anew.")
        error.retryable = True
        raise error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def cut_short(record: RunRecord) -> RunRecord:
    """A record that says `running`, of a run whose process is gone: `stopped`, for the reason `crashed`."""
    record.status, record.stop_reason = "stopped", "crashed"
    record.error = "the process that it ran in ended before it did; ws.resume goes on with it"
    return record


def _row(record: RunRecord) -> tuple[Any, ...]:
    return (
        record.tenant, record.run_id, record.thread_id, record.agent, record.status, record.started_at,
        record.updated_at, orjson.dumps(record, default=str),
    )  # fmt: skip


def _is_lock(error: StoreError) -> bool:
    return isinstance(error.__cause__, sqlite3.OperationalError) and "locked" in str(error.__cause__)
