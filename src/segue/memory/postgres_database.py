"""PostgresDatabase: the `Database` port on PostgreSQL, over psycopg's pool; a transaction is one round trip.

Each event loop has its pool; code that is not async has one connection of its own. A connection that the server closed
meanwhile is noticed before it is used. Work that the server undid, to let others go first or because it ended the
session, is done again; so is a read whose connection was lost. Whether a commit that broke off without a word took
place cannot be known; it is told as a `StoreError` that may be tried again.
"""

from __future__ import annotations

import asyncio
import re
import select
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import lru_cache
from itertools import chain, groupby
from operator import itemgetter
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from segue.base.errors import ConfigError, StoreError
from segue.memory.database import Clash, Row, Statement

CONNECT_S = 10
STATEMENT_S = 30
POOL = 8
_PLAIN_INSERT = re.compile(r"INSERT INTO \w+ \([\w, ]+\) VALUES \((?:\?, )*\?\)")
_ROWS = 500
"""Of one insert: a statement may have 65,535 parameters."""
_PAUSES_S = (0.0, 0.05, 0.5, None)
"""After a try, before the next one; sessions that are ended together end within milliseconds."""


class PostgresDatabase:
    """One database by its URL; it connects on `async with`, `with`, `start()` or `start_now()`.

    Args:
        url: `postgresql://…`, as libpq reads it.

    Raises:
        ConfigError: psycopg is not installed.
    """

    dialect: Literal["sqlite", "postgres"] = "postgres"

    def __init__(self, url: str) -> None:
        _psycopg()
        self.url = url
        self.name = shown(url)
        self._pools: dict[int, tuple[asyncio.AbstractEventLoop, Any]] = {}
        self._sync: Any = None
        self._mutex = threading.RLock()
        self._open = False

    @classmethod
    def open(cls, url: str) -> Self:
        """The database of a URL; it connects on `async with`, `with` or `start()`."""
        return cls(url)

    async def start(self) -> Self:
        """Connect.

        Raises:
            StoreError: The server cannot be reached.
        """
        with self._errors():  # by itself: the pool would try again for long, and then not say why
            tried = await _psycopg().AsyncConnection.connect(self.url, connect_timeout=CONNECT_S)
            await tried.close()
        self._open = True
        return self

    def start_now(self) -> Self:
        """`start` for code that is not async."""
        self._open = True
        self.execute_now("SELECT 1")
        return self

    async def close(self) -> None:
        """Disconnect; closing twice does nothing."""
        pools, self._pools = list(self._pools.values()), {}
        for loop, pool in pools:
            if loop is asyncio.get_running_loop():
                await pool.close()
        self.close_now()

    def close_now(self) -> None:
        """`close` for code that is not async."""
        self._open = False
        with self._mutex:
            if self._sync is not None:
                self._sync.close()
                self._sync = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, error: object, where: TracebackType | None) -> None:
        await self.close()

    def __enter__(self) -> Self:
        return self.start_now()

    def __exit__(self, kind: type[BaseException] | None, error: object, where: TracebackType | None) -> None:
        self.close_now()

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """One statement; see `Database.execute`."""
        with self._errors():
            for pause_s in _PAUSES_S:
                async with self._connection() as connection:
                    with _undone(connection, [(sql, parameters)], last=pause_s is None):
                        cursor = await connection.execute(translated(sql), parameters)
                        return await cursor.fetchall() if cursor.description else []
                await asyncio.sleep(pause_s or 0.0)
        raise AssertionError("unreachable")

    async def transaction(
        self, statements: Sequence[Statement], *, soon: bool = True, seen_s: float = 0.0
    ) -> list[list[Row]]:
        """Several statements, all or none; see `Database.transaction`."""
        with self._errors():
            for pause_s in _PAUSES_S:
                async with self._connection() as connection:
                    with _undone(connection, statements, last=pause_s is None):
                        return await _together(connection, statements)
                await asyncio.sleep(pause_s or 0.0)
        raise AssertionError("unreachable")

    def execute_now(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """One statement; see `Database.execute_now`."""
        with self._mutex, self._errors():
            for pause_s in _PAUSES_S:
                connection = self._sync_connection()
                with _undone(connection, [(sql, parameters)], last=pause_s is None):
                    cursor = connection.execute(translated(sql), parameters)
                    return cursor.fetchall() if cursor.description else []
                time.sleep(pause_s or 0.0)
        raise AssertionError("unreachable")

    def transaction_now(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Several statements, all or none; see `Database.transaction_now`."""
        with self._mutex, self._errors():
            for pause_s in _PAUSES_S:
                connection = self._sync_connection()
                with _undone(connection, statements, last=pause_s is None):
                    return _together_now(connection, statements)
                time.sleep(pause_s or 0.0)
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """A connection that lives. The pool's own check waits ever longer after each one that does not."""
        pool, by = await self._pool(), time.monotonic() + CONNECT_S
        while True:
            async with pool.connection(timeout=by - time.monotonic()) as connection:
                if await _is_alive(connection):
                    yield connection
                    return

    async def _pool(self) -> Any:
        loop = asyncio.get_running_loop()
        held = self._pools.get(id(loop))
        if held is not None and held[0] is loop:
            return held[1]
        if not self._open:
            raise _final(f"{self.name} is not open.", "Use the database inside its `async with`.")
        from psycopg_pool import AsyncConnectionPool

        pool = AsyncConnectionPool(
            self.url,
            kwargs={"autocommit": True, "connect_timeout": CONNECT_S, "application_name": "segue"},
            min_size=1,
            max_size=POOL,
            open=False,
            configure=_configured,
            timeout=CONNECT_S,
            reconnect_timeout=CONNECT_S,
        )
        self._pools[id(loop)] = (loop, pool)
        await pool.open()
        return pool

    def _sync_connection(self) -> Any:
        if not self._open:
            raise _final(f"{self.name} is not open.", "Use the database inside its `with`.")
        if self._sync is not None and (self._sync.closed or stale(self._sync)):
            with suppress(Exception):
                self._sync.close()
            self._sync = None
        if self._sync is None:
            self._sync = _psycopg().connect(
                self.url, autocommit=True, connect_timeout=CONNECT_S, application_name="segue"
            )
            self._sync.execute(_TIMEOUT)
        return self._sync

    @contextmanager
    def _errors(self) -> Iterator[None]:
        psycopg = _psycopg()
        try:
            yield
        except psycopg.IntegrityError as error:
            raise Clash(f"{self.name} refused a row: {_said(error)}.") from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise StoreError(
                f"{self.name} cannot be read or written: {_said(error)}.",
                way_out="See whether the server runs and has room, and try again.",
            ) from error
        except psycopg.Error as error:
            raise _final(f"{self.name} refused a statement: {_said(error)}.", "See the server's log.") from error


@lru_cache(maxsize=512)
def _may_join(sql: str) -> bool:
    """Whether rows of several such statements can stand in one: a plain insert of one row, that gives none back."""
    return _PLAIN_INSERT.fullmatch(sql) is not None


@lru_cache(maxsize=512)
def _of_rows(sql: str, count: int) -> str:
    """The insert with so many rows."""
    return sql + f", {sql.rpartition(' VALUES ')[2]}" * (count - 1)


def joined(statements: Sequence[Statement]) -> list[tuple[str, Sequence[object], int]]:
    """Each statement, its parameters, and for how many it stands.

    Inserts of the same kind that follow each other go in one, since each statement costs psycopg a wait of its own.
    """
    found: list[tuple[str, Sequence[object], int]] = []
    for sql, group in groupby(statements, key=itemgetter(0)):
        held = [parameters for _, parameters in group]
        if len(held) > 1 and _may_join(sql):
            for start in range(0, len(held), _ROWS):
                part = held[start : start + _ROWS]
                found.append((_of_rows(sql, len(part)), list(chain.from_iterable(part)), len(part)))
        else:
            found += [(sql, parameters, 1) for parameters in held]
    return found


@lru_cache(maxsize=512)
def translated(sql: str) -> str:
    """The statement with psycopg's `%s` for each `?`; text in quotes stays."""
    parts = sql.split("'")
    parts[::2] = [part.replace("%", "%%").replace("?", "%s") for part in parts[::2]]
    parts[1::2] = [part.replace("%", "%%") for part in parts[1::2]]
    return "'".join(parts)


def stale(connection: Any) -> bool:
    """Whether something came on a connection that nothing was asked of: most often, that the server closed it."""
    try:
        return bool(select.select([connection.fileno()], [], [], 0)[0])
    except (OSError, ValueError):
        return True
    except Exception:
        return True


def shown(url: str) -> str:
    """The URL without its password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


_TIMEOUT = f"SET statement_timeout = {STATEMENT_S * 1000}"


async def _is_alive(connection: Any) -> bool:
    """Whether it can be asked; closed where it cannot, so that the pool makes another."""
    if not stale(connection):
        return True
    try:
        await connection.execute("SELECT 1")
    except _psycopg().Error:
        await connection.close()
        return False
    return True


async def _configured(connection: Any) -> None:
    await connection.execute(_TIMEOUT)


@contextmanager
def _undone(connection: Any, statements: Sequence[Statement], *, last: bool) -> Iterator[None]:
    """Let an error pass that left nothing behind, so that the statements are tried again, but for the last time.

    The server undid them and said so, or they only read and the connection was lost.
    """
    psycopg = _psycopg()
    errors = psycopg.errors
    try:
        yield
    except (errors.DeadlockDetected, errors.SerializationFailure, errors.AdminShutdown, errors.CrashShutdown):
        if last:
            raise
    except psycopg.OperationalError:
        if last or not connection.closed or any(not sql.startswith("SELECT") for sql, _ in statements):
            raise


async def _together(connection: Any, statements: Sequence[Statement]) -> list[list[Row]]:
    cursors: list[Any] = []
    sent = joined(statements)
    try:
        async with connection.pipeline():
            await connection.execute("BEGIN")
            cursors = [await connection.execute(translated(sql), held) for sql, held, _ in sent]
            cursors.append(await connection.execute("COMMIT"))
    except BaseException as error:
        try:
            await connection.rollback()
        except Exception:
            await connection.close()
        if not _is_committed(cursors, error):
            raise
    found: list[list[Row]] = []
    for cursor, (_, _, count) in zip(cursors, sent, strict=False):  # the last one is of the commit
        found += [await cursor.fetchall()] if cursor.description else [[] for _ in range(count)]
    return found


def _together_now(connection: Any, statements: Sequence[Statement]) -> list[list[Row]]:
    cursors: list[Any] = []
    sent = joined(statements)
    try:
        with connection.pipeline():
            connection.execute("BEGIN")
            cursors = [connection.execute(translated(sql), held) for sql, held, _ in sent]
            cursors.append(connection.execute("COMMIT"))
    except BaseException as error:
        try:
            connection.rollback()
        except Exception:
            connection.close()
        if not _is_committed(cursors, error):
            raise
    found: list[list[Row]] = []
    for cursor, (_, _, count) in zip(cursors, sent, strict=False):  # the last one is of the commit
        found += [cursor.fetchall()] if cursor.description else [[] for _ in range(count)]
    return found


def _is_committed(cursors: Sequence[Any], error: BaseException) -> bool:
    """Whether the session was ended only after it had told of the commit."""
    return isinstance(error, Exception) and bool(cursors) and cursors[-1].statusmessage == "COMMIT"


def _psycopg() -> Any:
    try:
        import psycopg
        import psycopg_pool  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"PostgreSQL is spoken to by psycopg, which is not here ({error}).",
            way_out="Run: pip install 'segue[postgres]'",
        ) from error
    return psycopg


def _said(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _final(message: str, way_out: str) -> StoreError:
    found = StoreError(message, way_out=way_out)
    found.retryable = False
    return found
