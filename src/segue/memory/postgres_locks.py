"""PostgresLocks: the `Locks` protocol across machines, over PostgreSQL's advisory locks.

They belong to a session, so one connection holds them all; when it is lost, so is what was held: each holder's `lost`
is set, and the next `hold` connects anew. That the connection lives is looked at while something is held.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from segue.base.errors import ConfigError, StoreError
from segue.memory.locks import Held, Holder, LockBusy, Turns, this_process
from segue.memory.postgres_database import CONNECT_S, PostgresDatabase, shown, stale, translated

_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.1
_LOOK_S = 1.0
_HOLDER = (
    "SELECT a.pid, a.application_name, a.backend_start FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND a.datname = current_database()"
    " AND l.classid::bigint = ? AND l.objid::bigint = ?"
)


class PostgresLocks:
    """Named locks of one database. It belongs to one event loop; `async with` or `close()` lets go of everything.

    Args:
        url: `postgresql://…`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._turns = Turns()
        self._connection: Any = None
        self._one = asyncio.Lock()
        self._holders: set[Held] = set()
        self._watch: asyncio.Task[None] | None = None
        self._now: PostgresDatabase | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, where: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of everything and disconnect."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        await self._drop()
        if self._now is not None:
            self._now.close_now()
            self._now = None

    @asynccontextmanager
    async def hold(self, name: str, *, deadline: float | None = None) -> AsyncIterator[Held]:
        """Hold a name; see `Locks.hold`."""
        held = _Held(name, locks=self)
        turn = self._turns.of(name)
        try:
            async with asyncio.timeout(deadline or None):
                await self._enter(turn, held, once=deadline == 0)
        except TimeoutError:
            raise LockBusy(name, await self.holder(name), deadline or 0.0) from None
        try:
            yield held
        finally:
            try:
                await asyncio.shield(self._let_go(held))
            finally:
                turn.release()

    async def held(self, name: str) -> bool:
        """Whether any living session holds the name; see `Locks.held`."""
        return bool(await self._ask(_HOLDER, _halves(name)))

    def held_now(self, name: str) -> bool:
        """`held` for code that is not async; one round trip, over a connection of its own."""
        return bool(self._ask_now(_HOLDER, _halves(name)))

    async def holder(self, name: str) -> Holder | None:
        """Who holds the name, as far as its session says so."""
        return _holder(await self._ask(_HOLDER, _halves(name)))

    def holder_now(self, name: str) -> Holder | None:
        """`holder` for code that is not async."""
        return _holder(self._ask_now(_HOLDER, _halves(name)))

    async def _enter(self, turn: asyncio.Lock, held: Held, *, once: bool) -> None:
        if once and turn.locked():
            raise TimeoutError
        await turn.acquire()
        try:
            pause = _FIRST_PAUSE_S
            while not await self._try(held):
                if once:
                    raise TimeoutError
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
        except BaseException:
            turn.release()
            raise

    async def _try(self, held: Held) -> bool:
        taking = asyncio.ensure_future(self._ask("SELECT pg_try_advisory_lock(?)", (_number(held.name),)))
        try:
            rows = await asyncio.shield(taking)
        except asyncio.CancelledError:
            with suppress(Exception):
                if (await taking)[0][0]:
                    await self._ask("SELECT pg_advisory_unlock(?)", (_number(held.name),))
            raise
        if not rows[0][0]:
            return False
        self._holders.add(held)
        if self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._look_on())
        return True

    async def _let_go(self, held: Held) -> None:
        self._holders.discard(held)
        if not held.lost.is_set():
            with suppress(StoreError):  # the session is gone, and the lock with it
                await self._ask("SELECT pg_advisory_unlock(?)", (_number(held.name),))

    async def look(self) -> None:
        """See whether the connection lives; where it does not, what it held is lost."""
        with suppress(StoreError):
            await self._ask("SELECT 1", ())

    async def _look_on(self) -> None:
        """While something is held, look."""
        while self._holders:
            await asyncio.sleep(_LOOK_S)
            await self.look()
        self._watch = None

    def _ask_now(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        if self._now is None:
            now = PostgresDatabase(self.url)
            now.start_now()
            self._now = now
        return self._now.execute_now(sql, parameters)

    async def _ask(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        try:
            import psycopg
        except ImportError as error:
            raise ConfigError(
                f"PostgreSQL is spoken to by psycopg, which is not here ({error}).",
                way_out="Run: pip install 'segue[postgres]'",
            ) from error
        async with self._one:
            try:
                if self._connection is not None and stale(self._connection):
                    await self._drop()
                if self._connection is None:
                    self._connection = await self._connect(psycopg)
                cursor = await self._connection.execute(translated(sql), parameters)
                return list(await cursor.fetchall())
            except (psycopg.Error, OSError) as error:
                await self._drop()
                raise StoreError(
                    f"locks of {shown(self.url)} cannot be asked for: {' '.join(str(error).split())}.",
                    way_out="See whether the server runs, and try again.",
                ) from error

    async def _connect(self, psycopg: Any) -> Any:
        me = this_process()
        return await psycopg.AsyncConnection.connect(
            self.url,
            autocommit=True,
            connect_timeout=CONNECT_S,
            application_name=f"segue {me.host[:40]} {me.pid}",
        )

    async def _drop(self) -> None:
        """The connection is lost, and whatever was held by it."""
        connection, self._connection = self._connection, None
        for held in self._holders:
            held.lost.set()
        self._holders.clear()
        if connection is not None:
            with suppress(Exception):
                await connection.close()


@dataclass(eq=False, kw_only=True)
class _Held(Held):
    locks: PostgresLocks

    async def look(self) -> None:
        await self.locks.look()


def _holder(rows: list[Any]) -> Holder | None:
    if not rows:
        return None
    pid, who, since = rows[0]
    _, host, process = (*who.split(" "), "", "")[:3]
    return Holder(pid=int(process) if process.isdigit() else pid, host=host or "the server", since=since.isoformat())


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def _halves(name: str) -> tuple[int, int]:
    number = _number(name) % (1 << 64)
    return number >> 32, number & 0xFFFFFFFF
