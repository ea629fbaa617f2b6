"""Records of runs: one row a run, from its start to its end, in the workspace's own SQLite file or a database.

The state of a run is in its checkpoints; here is what one needs to find it again, and what came of it. A file is
written where one stands. A database is written by one thread of its own, in the order in which things were said, so
that the event loop waits for no network; reads are one round trip.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from segue.agents.run import RunRecord, RunStatus
from segue.base.errors import StoreError
from segue.base.rows import Row, Rows, Statement, Tables, in_both
from segue.base.stores import BUSY_S
from segue.workspace.trajectory import add_step

_RUNS = (
    """CREATE TABLE IF NOT EXISTS @runs (
        tenant TEXT NOT NULL, run_id TEXT NOT NULL, thread_id TEXT NOT NULL, agent TEXT NOT NULL, status TEXT NOT NULL,
        started_at DOUBLE PRECISION NOT NULL, updated_at DOUBLE PRECISION NOT NULL, record BLOB NOT NULL,
        PRIMARY KEY (tenant, run_id))""",
    "CREATE INDEX IF NOT EXISTS @runs_by_start ON @runs (tenant, started_at)",
    "CREATE INDEX IF NOT EXISTS @runs_by_thread ON @runs (tenant, thread_id, started_at)",
    "CREATE INDEX IF NOT EXISTS @runs_running ON @runs (tenant, thread_id) WHERE status = 'running'",
    """CREATE TABLE IF NOT EXISTS @spent (
        tenant TEXT NOT NULL, run_id TEXT NOT NULL, spending BLOB NOT NULL, PRIMARY KEY (tenant, run_id))""",
    "CREATE TABLE IF NOT EXISTS @steps (tenant TEXT NOT NULL, run_id TEXT NOT NULL, step BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS @steps_by_run ON @steps (tenant, run_id)",
)
_SCHEMA = in_both(*_RUNS)
_SCHEMA["postgres"] += ("ALTER TABLE @steps ADD COLUMN IF NOT EXISTS no BIGINT GENERATED ALWAYS AS IDENTITY",)
_NEW = "INSERT INTO @runs VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (tenant, run_id) DO "
_KEPT = (
    "UPDATE SET agent = excluded.agent, status = excluded.status, updated_at = excluded.updated_at,"
    " record = excluded.record"
)
"""A run's thread and start never change, and an index is touched only by what may."""
_SPENT = "INSERT INTO @spent VALUES (?,?,?) ON CONFLICT (tenant, run_id) DO UPDATE SET spending = excluded.spending"
_BLOCK_S = 0.05
"""How long a write may hold up the event loop before it is tried again later."""
_PAUSE_S = 0.02


class RunRecords:
    """The records, by tenant and run. Safe from any thread.

    Args:
        place: The file, made where there is none; or a database that is open, which stays open.
    """

    def __init__(self, place: Path | str | Rows) -> None:
        self._tables = Tables(place, _SCHEMA)
        self._own = self._tables.own
        self._writer = None if self._own else ThreadPoolExecutor(1, thread_name_prefix="segue-records")
        self._noted: deque[Statement] = deque()
        self.noted: Callable[[str, str, str], list[bytes]] | None = None
        """By tenant, thread and run: what lies with its checkpoints; see `segue.workspace.notes`."""
        if self._own is not None:
            self._own.waits(_BLOCK_S)
            self._file = os.stat(self._own.path)

    async def keep(self, record: RunRecord, *, patience_s: float = BUSY_S, noted: bool = True) -> None:
        """Keep the record as it is now; other tasks go on while another process holds the file.

        With `noted=False` nothing was noted beside it that it takes the place of.

        Raises:
            StoreError: It cannot be written, or was held for longer than `patience_s`.
        """
        statements, ends_at = _kept(record, noted=noted), time.monotonic() + patience_s
        if self._writer is not None:
            await asyncio.wrap_future(self._writer.submit(self._keep, statements))
            return
        while True:
            try:
                self._write(statements)
                return
            except StoreError as error:
                if not _is_lock(error) or time.monotonic() > ends_at:
                    raise
            await asyncio.sleep(_PAUSE_S)

    def _keep(self, statements: Sequence[Statement]) -> None:
        """A record alone may be written twice: a database across a network is spared begin and commit."""
        if len(statements) == 1:
            self._tables.execute(*statements[0])
        else:
            self._tables.transaction(statements)

    def save(self, record: RunRecord) -> None:
        """Keep the record as it is now, at once or not at all.

        Raises:
            StoreError: It cannot be written.
        """
        self._write(_kept(record))

    def add(self, record: RunRecord) -> bool:
        """Keep the record of a run that is new; `False` where there is one of this id already, which stays.

        Raises:
            StoreError: It cannot be written.
        """
        return bool(self._write([(f"{_NEW} NOTHING RETURNING run_id", _row(record))])[0])

    def note_spent(self, tenant: str, run_id: str, spending: dict[str, Any]) -> None:
        """Keep what a run that goes on has spent, so that a kill does not lose it; passed over where that cannot be."""
        self._note(_SPENT, (tenant, run_id, orjson.dumps(spending, default=str)))

    def note_step(self, tenant: str, run_id: str, step: dict[str, Any]) -> None:
        """Keep a step of a run that goes on, so that a kill does not lose it; passed over where that cannot be."""
        row = (tenant, run_id, orjson.dumps(step, default=str))
        self._note("INSERT INTO @steps (tenant, run_id, step) VALUES (?,?,?)", row)

    def _note(self, sql: str, row: Row) -> None:
        """What is noted in one step of the event loop is written together, before anything else happens in it."""
        if self._writer is not None:
            self._writer.submit(self._put_down, [(sql, row)])
            return
        self._noted.append((sql, row))
        if len(self._noted) > 1:
            return
        try:
            asyncio.get_running_loop().call_soon(self._flush)
        except RuntimeError:
            self._flush()

    def _flush(self) -> None:
        noted = [self._noted.popleft() for _ in range(len(self._noted))]
        if noted:
            self._put_down(noted)

    def _put_down(self, statements: Sequence[Statement]) -> None:
        with suppress(StoreError):
            self._tables.transaction(statements)

    def _write(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """In its turn, and back when it is durable."""
        if self._writer is not None:
            return self._writer.submit(self._tables.transaction, statements).result()
        self._flush()
        self._must_be_there()
        return self._tables.transaction(statements)

    def get(self, tenant: str, run_id: str) -> RunRecord | None:
        """The record of a run; `None` where this tenant has none of this id."""
        found = self._read("tenant = ? AND run_id = ?", (tenant, run_id), 1)
        return found[0] if found else None

    def newest(
        self, tenant: str, *, limit: int = 20, thread_id: str | None = None, before: str = ""
    ) -> list[RunRecord]:
        """The newest runs of a tenant, newest first; `before`: of those that began before this run."""
        where: str = "tenant = ?"
        parameters: tuple[Any, ...] = (tenant,)
        if thread_id is not None:
            where, parameters = f"{where} AND thread_id = ?", (*parameters, thread_id)
        if before:
            began = "(SELECT started_at FROM @runs WHERE tenant = ? AND run_id = ?)"
            where = f"{where} AND (started_at < {began} OR (started_at = {began} AND run_id < ?))"
            parameters = (*parameters, tenant, before, tenant, before, before)
        return self._read(where, parameters, limit)

    def running(self, tenant: str, *, thread_id: str | None = None) -> list[RunRecord]:
        """The runs that are written down as running, newest first; those whose process died are among them."""
        # else SQLite serves the order first, by reading all runs of the thread
        rows = "@runs INDEXED BY @runs_running" if self._tables.dialect == "sqlite" else "@runs"
        if thread_id is None:
            return self._read("tenant = ? AND status = 'running'", (tenant,), -1, rows=rows)
        where = "tenant = ? AND thread_id = ? AND status = 'running'"
        return self._read(where, (tenant, thread_id), -1, rows=rows)

    def with_status(self, tenant: str, status: RunStatus, *, limit: int = 100) -> list[RunRecord]:
        """The newest runs of a tenant that are written down with a status, newest first."""
        return self._read("tenant = ? AND status = ?", (tenant, status), limit)

    def of_user(self, tenant: str, user: str) -> list[str]:
        """The ids of all runs on behalf of a user, in no order."""
        inside = {
            "sqlite": "json_extract(CAST(record AS TEXT), '$.user')",
            "postgres": "convert_from(record, 'UTF8')::json ->> 'user'",
        }
        found = f"SELECT run_id FROM @runs WHERE tenant = ? AND {inside[self._tables.dialect]} = ?"
        return [row[0] for row in self._tables.execute(found, (tenant, user))]

    def forget_thread(self, tenant: str, thread_id: str) -> int:
        """Take out the records of a thread's runs; how many.

        Raises:
            StoreError: They cannot be taken out.
        """
        whose = (tenant, thread_id)
        of_thread = "tenant = ? AND run_id IN (SELECT run_id FROM @runs WHERE tenant = ? AND thread_id = ?)"
        gone = self._write([
            (f"DELETE FROM @spent WHERE {of_thread}", (tenant, *whose)),
            (f"DELETE FROM @steps WHERE {of_thread}", (tenant, *whose)),
            ("DELETE FROM @runs WHERE tenant = ? AND thread_id = ? RETURNING run_id", whose),
        ])  # fmt: skip
        return len(gone[-1])

    def threads(self, tenant: str, *, limit: int = 20) -> list[tuple[str, int, float]]:
        """The threads of a tenant with the number of their runs and when the last one changed, newest first."""
        return self._tables.execute(
            "SELECT thread_id, count(*), max(updated_at) AS last FROM @runs WHERE tenant = ? "
            "GROUP BY thread_id ORDER BY last DESC LIMIT ?",
            (tenant, self._tables.bound(limit)),
        )

    def first_requests(self, tenant: str, thread_ids: Sequence[str]) -> dict[str, list[Any]]:
        """What each of these threads began with: the request of its first run."""
        if not thread_ids:
            return {}
        marks = ", ".join("?" * len(thread_ids))
        rows = self._tables.execute(
            "SELECT thread_id, record FROM (SELECT thread_id, record, row_number() OVER (PARTITION BY thread_id "
            f"ORDER BY started_at, run_id) AS at FROM @runs WHERE tenant = ? AND thread_id IN ({marks})) AS firsts "
            "WHERE at = 1",
            (tenant, *thread_ids),
        )
        return {row[0]: orjson.loads(row[1])["request"] for row in rows}

    def _read(self, where: str, values: tuple[Any, ...], limit: int, *, rows: str = "@runs") -> list[RunRecord]:
        self._flush()
        query = f"SELECT record FROM {rows} WHERE {where} ORDER BY started_at DESC, run_id DESC LIMIT ?"
        found = self._tables.execute(query, (*values, self._tables.bound(limit)))
        return [self._so_far(RunRecord(**orjson.loads(row[0]))) for row in found]

    def _so_far(self, record: RunRecord) -> RunRecord:
        """A record that says `running`, with what was spent and done since it was kept."""
        if record.status != "running":
            return record
        of_run, whose = "WHERE tenant = ? AND run_id = ?", (record.tenant, record.run_id)
        order = "rowid" if self._tables.dialect == "sqlite" else "no"
        spent = self._tables.execute(f"SELECT spending FROM @spent {of_run}", whose)
        steps = self._tables.execute(f"SELECT step FROM @steps {of_run} ORDER BY {order}", whose)
        record.usage = orjson.loads(spent[0][0]) if spent else record.usage
        for row in steps:
            add_step(record.trajectory, orjson.loads(row[0]))
        for note in self.noted(record.tenant, record.thread_id, record.run_id) if self.noted is not None else ():
            held = orjson.loads(note)
            record.usage = held["spent"] or record.usage
            for step in held["steps"]:
                add_step(record.trajectory, step)
        return record

    def _must_be_there(self) -> None:
        """SQLite goes on writing into a file that was taken away; what it wrote would be gone with it."""
        if self._own is None:
            return
        try:
            if os.path.samestat(os.stat(self._own.path), self._file):
                return
        except OSError:
            pass
        error = StoreError(
            f"{self._own.path} is not there any more.", way_out="Bring it back, or open the workspace anew."
        )
        error.retryable = True
        raise error

    def close(self) -> None:
        """Write what was said, and close the file, where it is one."""
        if self._writer is not None:
            self._writer.shutdown()
        self._flush()
        self._tables.close()


def cut_short(record: RunRecord) -> RunRecord:
    """A record that says `running`, of a run whose process is gone: `stopped`, for the reason `crashed`."""
    record.status, record.stop_reason = "stopped", "crashed"
    record.error = "the process that it ran in ended before it did; ws.resume goes on with it"
    return record


def _kept(record: RunRecord, *, noted: bool = True) -> list[Statement]:
    """The record in place of what was noted meanwhile: the steps are in it, and once it stops, so is what it spent."""
    row = _row(record)
    if not noted:
        return [(_NEW + _KEPT, row)]
    of_run = "WHERE tenant = ? AND run_id = ?"
    found: list[Statement] = [(_NEW + _KEPT, row), (f"DELETE FROM @steps {of_run}", row[:2])]
    return found if record.status == "running" else [*found, (f"DELETE FROM @spent {of_run}", row[:2])]


def _row(record: RunRecord) -> tuple[Any, ...]:
    return (
        record.tenant, record.run_id, record.thread_id, record.agent, record.status, record.started_at,
        record.updated_at, orjson.dumps(record, default=str),
    )  # fmt: skip


def _is_lock(error: StoreError) -> bool:
    return isinstance(error.__cause__, sqlite3.OperationalError) and "locked" in str(error.__cause__)
