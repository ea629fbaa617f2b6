"""The effect ledger on a database: claims in, rows that outlive the process out.

It lies beside the checkpoints, so that what they call done is done. Arguments and results are sealed where the
workspace has a key. A process that works on effects holds one lock for as long as its ledger is open: a claim whose
owner's lock nobody holds was left by a process that died.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from segue.base.errors import StoreError
from segue.base.ids import new_id
from segue.context.effects import Came, Effect, EffectState, InFlight, before
from segue.memory.database import Clash, Database, OwnedDatabase, Row, open_database
from segue.memory.locks import FileLocks, Held, Locks
from segue.memory.sealing import Plain, Seal
from segue.tools.ledger_rows import COLUMNS, Rows, insert, marks, schema, take_over

_POLL_S = 0.05
"""How often a claim of another process is looked at."""


class DatabaseLedger:
    """The ledger of a workspace; see `segue.context.effects.Ledger`. It belongs to one event loop.

    Args:
        database: Where the rows lie; it is not closed with the ledger.
        locks: What tells the living from the dead; `None` where no other process writes to this database.
        sealer: Seals arguments and results; `None` marks them as plain.
        own: The database, where it is this ledger's to open, at the first effect, and to close.
    """

    def __init__(
        self,
        database: Database,
        *,
        locks: Locks | None = None,
        sealer: Seal | None = None,
        own: OwnedDatabase | None = None,
    ) -> None:
        self._database = database
        self._own = own
        self._locks = locks
        self._rows = Rows(sealer or Plain())
        self._flying = InFlight()
        self._owner = ""
        self._alive: Held | None = None
        self._ready = False
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def claim(self, effect: Effect, *, over: Effect | None = None) -> Effect | None:
        """See `Ledger`. One statement where nobody has claimed it before."""
        ours = replace(effect, owner=await self._me())
        self._flying.begin(ours.claim)
        try:
            found = await self._claimed(ours, over)
        except BaseException:
            await self._undo(ours)
            raise
        if found is not None:
            self._flying.end(ours.claim)
        return found

    async def _claimed(self, ours: Effect, over: Effect | None) -> Effect | None:
        while True:
            sql, parameters = take_over(self._rows.values(ours), over) if over else insert(self._rows.values(ours))
            if await self._database.execute(sql, parameters):
                return None
            found = await self.find(ours.tenant, keys=[ours.key])
            if found:
                return found[0]
            over = None  # it was released in between

    async def _undo(self, ours: Effect) -> None:
        """A claim that was cut short may stand; nothing ran under it."""
        try:
            await asyncio.shield(self.release(ours))
        except (StoreError, asyncio.CancelledError):
            self._flying.end(ours.claim)  # it stays behind as one of which nothing is known

    async def record(self, effect: Effect, state: EffectState, came: Came) -> bool:
        """See `Ledger`."""
        sealed, at = self._rows.came(effect, came), effect.recorded_at or effect.claimed_at
        states = before(state)
        try:
            rows = await self._execute(
                "UPDATE effects SET state = ?, came = ?, recorded_at = ?, owner = '' WHERE tenant = ? AND key = ? "
                f"AND claim = ? AND state IN ({marks(states)}) RETURNING claim",
                (state, sealed, at, effect.tenant, effect.key, effect.claim, *states),
            )
        finally:
            self._flying.end(effect.claim)
        return bool(rows)

    async def leave(self, effect: Effect) -> None:
        """See `Ledger`."""
        self._flying.end(effect.claim)
        await self._execute(
            "UPDATE effects SET owner = '' WHERE tenant = ? AND key = ? AND claim = ? AND state = 'claimed'",
            (effect.tenant, effect.key, effect.claim),
        )

    async def release(self, effect: Effect) -> None:
        """See `Ledger`."""
        try:
            await self._execute(
                "DELETE FROM effects WHERE tenant = ? AND key = ? AND claim = ? AND state = 'claimed'",
                (effect.tenant, effect.key, effect.claim),
            )
        finally:
            self._flying.end(effect.claim)

    async def find(self, tenant: str, *, deliveries: Sequence[str] = (), keys: Sequence[str] = ()) -> list[Effect]:
        """See `Ledger`."""
        found: dict[str, Effect] = {}
        for column, wanted in (("delivery", deliveries), ("key", keys)):
            if wanted:
                rows = await self._execute(
                    f"SELECT {COLUMNS} FROM effects WHERE tenant = ? AND {column} IN ({marks(wanted)})",
                    (tenant, *wanted),
                )
                found |= {each.key: each for each in map(self._rows.effect, rows)}
        return list(found.values())

    async def busy(self, effect: Effect) -> bool:
        """See `Ledger`."""
        if not effect.owner or effect.state != "claimed":
            return False
        if effect.owner == self._owner:
            return effect.claim in self._flying
        return self._locks is not None and await self._locks.held(_lock(effect.owner))

    async def wait(self, effect: Effect, timeout_s: float) -> None:
        """See `Ledger`."""
        if effect.claim in self._flying:
            await self._flying.wait(effect.claim, timeout_s)
        else:
            await asyncio.sleep(min(_POLL_S, timeout_s))

    async def effects(
        self, tenant: str, *, run_id: str = "", thread_id: str = "", open_only: bool = False, limit: int = 100
    ) -> list[Effect]:
        """See `Ledger`."""
        wanted = {"tenant": tenant, "run_id": run_id, "thread_id": thread_id, "state": "claimed" if open_only else ""}
        given = {name: value for name, value in wanted.items() if value}
        where = " AND ".join(f"{name} = ?" for name in given)
        rows = await self._execute(
            f"SELECT {COLUMNS} FROM effects WHERE {where} ORDER BY claimed_at DESC, key LIMIT ?",
            (*given.values(), limit),
        )
        found = [self._rows.effect(row) for row in rows]
        listed = [replace(each, under_way=await self.busy(each)) for each in found]
        return [each for each in listed if each.open or not open_only]

    async def aclose(self) -> None:
        """Let go of the owner's lock; what this process left open counts as unknown from now on."""
        self._owner, self._alive, self._ready = "", None, False
        await self._stack.aclose()

    async def _me(self) -> str:
        """This ledger's id as an owner, held by its lock from the first claim on."""
        if not self._owner or self._lost():
            await self._make()
            async with self._opening:
                if not self._owner or self._lost():
                    owner = new_id("own")
                    if self._locks is not None:
                        self._alive = await self._stack.enter_async_context(self._locks.hold(_lock(owner)))
                    self._owner = owner
        return self._owner

    def _lost(self) -> bool:
        """Whether the lock is gone, so that others count us as dead."""
        return self._alive is not None and self._alive.lost.is_set()

    async def _execute(self, sql: str, parameters: Sequence[Any]) -> list[Row]:
        if not self._ready:
            await self._make()
        return await self._database.execute(sql, parameters)

    async def _make(self) -> None:
        async with self._opening:
            if self._ready:
                return
            if self._own is not None:
                self._stack.push_async_callback((await self._own.start()).close)
            await self._schema()
            self._ready = True

    async def _schema(self) -> None:
        statements = schema(self._database.dialect)
        try:
            await self._database.transaction(statements)
        except Clash:  # somebody else makes the table at this moment, which PostgreSQL tells as a clash
            await self._database.transaction(statements)


async def open_ledger(saver: Any, folder: Path, stack: AsyncExitStack) -> DatabaseLedger:
    """The ledger in the database of the checkpoints; in one of its own in the folder, where the saver has none.

    It is closed with the stack.
    """
    shared: Database | None = getattr(saver, "database", None)
    own = None if shared else open_database(folder / "state.db")
    database: Any = shared or own
    locks = await _locks_of(database, folder, stack)
    ledger = DatabaseLedger(database, locks=locks, sealer=getattr(saver, "sealer", None), own=own)
    stack.push_async_callback(ledger.aclose)
    return ledger


async def _locks_of(database: Any, folder: Path, stack: AsyncExitStack) -> Locks:
    """Locks that everybody sees who writes to this database."""
    if database.dialect == "postgres":
        from segue.memory.postgres_locks import PostgresLocks

        return await stack.enter_async_context(PostgresLocks(database.url))
    place = getattr(database, "path", None)
    return FileLocks((Path(place).parent if place else folder) / "locks")


def _lock(owner: str) -> str:
    return f"owner/{owner}"
