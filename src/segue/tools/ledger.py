"""The effect ledger on a database: claims in, rows that outlive the process out.

It lies beside the checkpoints, so that what they call done is done. Arguments and results are sealed where the
workspace has a key. A process that works on effects holds one lock for as long as its ledger is open: a claim whose
owner's lock nobody holds was left by a process that died.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from segue.base.errors import StoreError
from segue.base.ids import new_id
from segue.context.effects import Came, Effect, EffectState, InFlight, before
from segue.memory.database import Database, OwnedDatabase, Row, Statement, open_database
from segue.memory.locks import FileLocks, Held, Locks
from segue.memory.sealing import Plain, Seal

_POLL_S = 0.05
"""How often a claim of another process is looked at."""
_FIELDS = (
    "tenant", "key", "delivery", "claim", "run_id", "thread_id", "branch", "call_id", "agent", "task_id", "tool",
    "effect", "reach", "arguments", "state", "came", "owner", "claimed_at", "recorded_at", "approved_by",
)  # fmt: skip
_COLUMNS = ", ".join(_FIELDS)


@dataclass(frozen=True)
class _Rows:
    """Effects as rows of one database."""

    sealer: Seal

    def values(self, effect: Effect) -> tuple[Any, ...]:
        held = {name: getattr(effect, name) for name in _FIELDS}
        held["arguments"] = self._sealed(effect, "arguments", effect.arguments)
        held["came"] = None if effect.came is None else self.came(effect, effect.came)
        return tuple(held.values())

    def came(self, effect: Effect, came: Came) -> bytes:
        return self._sealed(effect, "came", asdict(came))

    def effect(self, row: Row) -> Effect:
        held = dict(zip(_FIELDS, row, strict=True))
        at = (held["tenant"], held["key"], held["claim"])
        held["arguments"] = self._opened(held["arguments"], "arguments", at)
        if held["came"] is not None:
            came = self._opened(held["came"], "came", at)
            held["came"] = Came(**{**came, "atoms": tuple((pointer, text) for pointer, text in came["atoms"])})
        return Effect(**held)

    def _sealed(self, effect: Effect, column: str, value: Any) -> bytes:
        data = json.dumps(value, separators=(",", ":")).encode()
        return self.sealer.seal(data, "effect", effect.tenant, effect.key, effect.claim, column)

    def _opened(self, data: Any, column: str, at: tuple[str, str, str]) -> Any:
        return json.loads(self.sealer.open(bytes(data), "effect", *at, column))


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
        self._rows = _Rows(sealer or Plain())
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
            sql, parameters = _replace(self._rows.values(ours), over) if over else _insert(self._rows.values(ours))
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
                f"AND claim = ? AND state IN ({_marks(states)}) RETURNING claim",
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
                    f"SELECT {_COLUMNS} FROM effects WHERE tenant = ? AND {column} IN ({_marks(wanted)})",
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
            f"SELECT {_COLUMNS} FROM effects WHERE {where} ORDER BY claimed_at DESC, key LIMIT ?",
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
            await self._database.transaction(_schema(self._database.dialect))
            self._ready = True


async def open_ledger(saver: Any, folder: Path, stack: AsyncExitStack) -> DatabaseLedger:
    """The ledger in the database of the checkpoints; in one of its own in the folder, where the saver has none.

    It is closed with the stack.
    """
    locks, sealer = FileLocks(folder / "locks"), getattr(saver, "sealer", None)
    shared: Database | None = getattr(saver, "database", None)
    own = None if shared else open_database(folder / "state.db")
    database: Any = shared or own
    ledger = DatabaseLedger(database, locks=locks, sealer=sealer, own=own)
    stack.push_async_callback(ledger.aclose)
    return ledger


def _lock(owner: str) -> str:
    return f"owner/{owner}"


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _insert(values: Sequence[Any]) -> Statement:
    sql = f"INSERT INTO effects ({_COLUMNS}) VALUES ({_marks(values)}) "
    return sql + "ON CONFLICT (tenant, key) DO NOTHING RETURNING claim", values


def _replace(values: Sequence[Any], over: Effect) -> Statement:
    sets = ", ".join(f"{name} = ?" for name in _FIELDS)
    where = "tenant = ? AND key = ? AND claim = ? AND state = ?"
    return f"UPDATE effects SET {sets} WHERE {where} RETURNING claim", (
        *values, over.tenant, over.key, over.claim, over.state,
    )  # fmt: skip


def _schema(dialect: str) -> list[Statement]:
    data = "BYTEA" if dialect == "postgres" else "BLOB"
    columns = (
        "tenant TEXT NOT NULL, key TEXT NOT NULL, delivery TEXT NOT NULL, claim TEXT NOT NULL, run_id TEXT NOT NULL, "
        "thread_id TEXT NOT NULL, branch TEXT NOT NULL, call_id TEXT NOT NULL, agent TEXT NOT NULL, "
        "task_id TEXT NOT NULL, tool TEXT NOT NULL, effect TEXT NOT NULL, reach TEXT NOT NULL, "
        f"arguments {data} NOT NULL, state TEXT NOT NULL, came {data}, owner TEXT NOT NULL, "
        "claimed_at DOUBLE PRECISION NOT NULL, recorded_at DOUBLE PRECISION, approved_by TEXT NOT NULL, "
        "PRIMARY KEY (tenant, key)"
    )
    return [
        (f"CREATE TABLE IF NOT EXISTS effects ({columns})", ()),
        ("CREATE INDEX IF NOT EXISTS effects_by_delivery ON effects (tenant, delivery)", ()),
        ("CREATE INDEX IF NOT EXISTS effects_by_run ON effects (tenant, run_id)", ()),
        ("CREATE INDEX IF NOT EXISTS effects_by_thread ON effects (tenant, thread_id)", ()),
    ]
