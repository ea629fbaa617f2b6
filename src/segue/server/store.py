"""What the server keeps beside the workspace: accepted runs, events of runs, threads that are new, keys, feedback.

Plain rows, durable when a call is back. What is delivered to whom is decided in `hub`, who may what in `keys`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from segue.memory.database import Clash, Database, Row, Statement

if TYPE_CHECKING:
    from segue.workspace.workspace import Workspace

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS server_promises (
        tenant TEXT NOT NULL, run_id TEXT NOT NULL, agent TEXT NOT NULL, body TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL, owner TEXT NOT NULL, stop INTEGER NOT NULL, PRIMARY KEY (tenant, run_id))""",
    """CREATE TABLE IF NOT EXISTS server_events (
        tenant TEXT NOT NULL, run_id TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL, PRIMARY KEY (tenant, run_id, seq))""",
    "CREATE INDEX IF NOT EXISTS server_events_at ON server_events (at)",
    """CREATE TABLE IF NOT EXISTS server_threads (
        tenant TEXT NOT NULL, thread_id TEXT NOT NULL, at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (tenant, thread_id))""",
    """CREATE TABLE IF NOT EXISTS server_feedback (
        tenant TEXT NOT NULL, id TEXT NOT NULL, run_id TEXT NOT NULL, body TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL, PRIMARY KEY (tenant, id))""",
    """CREATE TABLE IF NOT EXISTS server_keys (
        digest TEXT NOT NULL PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, body TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL)""",
)
DAY_S = 86_400.0
_FILE = "server.db"
_PAGE = 500
_THIS = "WHERE tenant = ? AND run_id = ? AND owner = ?"
_OPEN = "WHERE tenant = ? AND run_id = ? AND owner IN ('', ?)"


class Logged(NamedTuple):
    """One durable event of a run."""

    seq: int
    """From 1, without gaps, in the order in which the run told them."""
    type: str
    body: str
    """JSON."""


class Entry(NamedTuple):
    """One event on its way into the log."""

    tenant: str
    run_id: str
    logged: Logged
    at: float


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A run, or its next stretch, that was promised to a client and has not ended."""

    tenant: str
    run_id: str
    agent: str
    body: dict[str, Any]
    """What it goes on with: `answers`, by whom, and a `budget`; empty for a run that begins."""
    owner: str = ""
    """The server that keeps the promise, by its name; empty where none has taken it yet."""


def place_of(ws: Workspace) -> Path | str:
    """Where the server's rows lie: the database for everything, or a file of the data folder."""
    return ws.database_url or ws.data_dir / _FILE


class ServerStore:
    """The rows. Every method may raise `StoreError`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def open(self) -> None:
        """Make the tables where they are missing."""
        for statement in _SCHEMA:
            await self.database.execute(statement)

    async def accept(self, accepted: Accepted, *, now: float) -> None:
        """Remember a run until `settle`; the owner's newest word on it counts.

        Raises:
            Clash: Another server has promised it.
        """
        key = (accepted.tenant, accepted.run_id)
        row = (*key, accepted.agent, orjson.dumps(accepted.body).decode(), now, accepted.owner, 0)
        await self.database.transaction([
            (f"DELETE FROM server_promises {_OPEN}", (*key, accepted.owner)),
            ("INSERT INTO server_promises VALUES (?, ?, ?, ?, ?, ?, ?)", row),
        ])  # fmt: skip

    async def settle(self, accepted: Accepted) -> None:
        """It has ended, or waits for a person. Nothing happens where another server has it by now."""
        await self.database.execute(
            f"DELETE FROM server_promises {_THIS}", (accepted.tenant, accepted.run_id, accepted.owner)
        )

    async def let_go(self, tenant: str, run_id: str) -> None:
        """Nobody goes on with a run that does not go."""
        await self.database.execute("DELETE FROM server_promises WHERE tenant = ? AND run_id = ?", (tenant, run_id))

    async def accepted(self) -> list[Accepted]:
        """What was promised and has not ended, oldest first, of all tenants."""
        rows = await self.database.execute("SELECT tenant, run_id, agent, body, owner FROM server_promises ORDER BY at")
        return [
            Accepted(tenant=row[0], run_id=row[1], agent=row[2], body=orjson.loads(row[3]), owner=row[4])
            for row in rows
        ]

    async def take_over(self, accepted: Accepted, owner: str) -> bool:
        """Keep a promise in the place of its owner; `False` where somebody else was faster, or it has ended."""
        whose = (accepted.tenant, accepted.run_id, accepted.owner)
        return bool(
            await self.database.execute(
                f"UPDATE server_promises SET owner = ? {_THIS} RETURNING run_id", (owner, *whose)
            )
        )

    async def owns(self, accepted: Accepted) -> bool:
        """Whether the promise is still its owner's."""
        whose = (accepted.tenant, accepted.run_id, accepted.owner)
        return bool(await self.database.execute(f"SELECT 1 FROM server_promises {_THIS}", whose))

    async def promised(self, tenant: str, run_id: str) -> bool:
        """Whether any server is to go on with a run."""
        found = await self.database.execute(
            "SELECT 1 FROM server_promises WHERE tenant = ? AND run_id = ?", (tenant, run_id)
        )
        return bool(found)

    async def ask_to_stop(self, tenant: str, run_id: str, *, besides: str) -> bool:
        """Have the owner of a run stop it; `False` where nobody besides this one has it."""
        return bool(
            await self.database.execute(
                "UPDATE server_promises SET stop = 1 WHERE tenant = ? AND run_id = ? AND owner <> ? RETURNING run_id",
                (tenant, run_id, besides),
            )
        )

    async def to_stop(self, owner: str) -> list[tuple[str, str]]:
        """The tenants and ids of an owner's runs that are to stop."""
        rows = await self.database.execute(
            "SELECT tenant, run_id FROM server_promises WHERE owner = ? AND stop = 1", (owner,)
        )
        return [(row[0], row[1]) for row in rows]

    async def append(self, entries: Sequence[Entry]) -> None:
        """Write events, all or none."""
        statements: list[Statement] = [
            (
                "INSERT INTO server_events VALUES (?, ?, ?, ?, ?, ?)",
                (each.tenant, each.run_id, each.logged.seq, each.logged.type, each.logged.body, each.at),
            )
            for each in entries
        ]
        await self.database.transaction(statements)

    async def events(self, tenant: str, run_id: str, *, after: int = 0, limit: int = _PAGE) -> list[Logged]:
        """The next events of a run behind a number, in their order."""
        rows = await self.database.execute(
            "SELECT seq, type, body FROM server_events WHERE tenant = ? AND run_id = ? AND seq > ? "
            "ORDER BY seq LIMIT ?",
            (tenant, run_id, after, limit),
        )
        return [Logged(*row) for row in rows]

    async def last(self, tenant: str, run_id: str) -> Logged | None:
        """The newest event of a run."""
        rows = await self.database.execute(
            "SELECT seq, type, body FROM server_events WHERE tenant = ? AND run_id = ? ORDER BY seq DESC LIMIT 1",
            (tenant, run_id),
        )
        return Logged(*rows[0]) if rows else None

    async def forget(self, before: float) -> None:
        """Delete events from before a time, in seconds since 1970."""
        await self.database.execute("DELETE FROM server_events WHERE at < ?", (before,))

    async def add_thread(self, tenant: str, thread_id: str, *, now: float) -> bool:
        """Keep a thread that has no run yet; `False` where it is there already."""
        try:
            await self.database.execute("INSERT INTO server_threads VALUES (?, ?, ?)", (tenant, thread_id, now))
        except Clash:
            return False
        return True

    async def thread(self, tenant: str, thread_id: str) -> float | None:
        """When a thread was made here; `None` where it was not."""
        rows = await self.database.execute(
            "SELECT at FROM server_threads WHERE tenant = ? AND thread_id = ?", (tenant, thread_id)
        )
        return float(rows[0][0]) if rows else None

    async def threads(self, tenant: str, *, limit: int) -> list[tuple[str, float]]:
        """The newest threads that were made here."""
        rows = await self.database.execute(
            "SELECT thread_id, at FROM server_threads WHERE tenant = ? ORDER BY at DESC LIMIT ?", (tenant, limit)
        )
        return [(row[0], row[1]) for row in rows]

    async def forget_thread(self, tenant: str, thread_id: str, run_ids: Sequence[str]) -> None:
        """Take out a thread that was made here, and the events, promises and feedback of its runs."""
        tables = ("server_events", "server_promises", "server_feedback")
        statements: list[Statement] = [
            (f"DELETE FROM {table} WHERE tenant = ? AND run_id = ?", (tenant, run_id))
            for table in tables
            for run_id in run_ids
        ]
        own = ("DELETE FROM server_threads WHERE tenant = ? AND thread_id = ?", (tenant, thread_id))
        await self.database.transaction([*statements, own])

    async def note_feedback(self, tenant: str, id_: str, run_id: str, body: dict[str, Any], *, now: float) -> None:
        """Keep what somebody thinks of a run."""
        row = (tenant, id_, run_id, orjson.dumps(body).decode(), now)
        await self.database.execute("INSERT INTO server_feedback VALUES (?, ?, ?, ?, ?)", row)

    async def feedback(self, tenant: str, run_id: str) -> list[tuple[str, dict[str, Any], float]]:
        """What people think of a run, oldest first: id, what, when."""
        rows = await self.database.execute(
            "SELECT id, body, at FROM server_feedback WHERE tenant = ? AND run_id = ? ORDER BY at", (tenant, run_id)
        )
        return [(row[0], orjson.loads(row[1]), row[2]) for row in rows]

    async def put_key(self, digest: str, id_: str, tenant: str, body: dict[str, Any], *, now: float) -> None:
        """Keep a key's digest and what it may, or change what it may."""
        await self.database.transaction([
            ("DELETE FROM server_keys WHERE id = ?", (id_,)),
            ("INSERT INTO server_keys VALUES (?, ?, ?, ?, ?)", (digest, id_, tenant, orjson.dumps(body).decode(), now)),
        ])  # fmt: skip

    async def keys(self, *, digest: str = "", id_: str = "") -> list[Row]:
        """Keys as digest, id, tenant, body, at: one by its digest or its id, or all, oldest first."""
        if digest:
            return await self.database.execute("SELECT * FROM server_keys WHERE digest = ?", (digest,))
        if id_:
            return await self.database.execute("SELECT * FROM server_keys WHERE id = ?", (id_,))
        return await self.database.execute("SELECT * FROM server_keys ORDER BY at")
