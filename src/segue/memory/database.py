"""Database: statements in, rows out, durable when they are back; SQLite and PostgreSQL behind one face.

What keeps state - the savers, the effect ledger - speaks to this port, so that both lie in one database and move to
another by its URL. SQL is written in what both understand, with `?` for each parameter; `open_database` picks who
speaks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal, Protocol

from segue.base.errors import ConfigError, StoreError

Row = tuple[Any, ...]
Statement = tuple[str, Sequence[Any]]


class Clash(StoreError):
    """A row broke a rule of its table: its key is there already, or what it hangs on is not. Nothing was written."""

    severity = "error"
    retryable = False


class Database(Protocol):
    """A database that is open."""

    @property
    def dialect(self) -> Literal["sqlite", "postgres"]:
        """Which SQL it speaks, where the two differ."""
        ...

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run one statement and return its rows; what it wrote is durable by then.

        Raises:
            StoreError: The database cannot be read or written; `retryable` says whether to try again.
        """
        ...

    async def transaction(
        self, statements: Sequence[Statement], *, soon: bool = True, seen_s: float = 0.0
    ) -> list[list[Row]]:
        """Run statements together, all or none; durable when they are back. Cancelled, it has written all or none.

        With `soon=False` it may wait 2 ms for others to share its commit. `seen_s`: how many seconds ago a file may
        have been looked for in its place, which takes as long as a statement.

        Raises:
            Clash: A key is there already, or what a row hangs on is not.
            StoreError: As for `execute`; nothing was written then.
        """
        ...

    def execute_now(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """`execute` for code that is not async, from any thread; it blocks."""
        ...

    def transaction_now(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """`transaction` for code that is not async, from any thread; it blocks."""
        ...


class OwnedDatabase(Database, AbstractAsyncContextManager["OwnedDatabase"], Protocol):
    """A database by whoever opens and closes it: `async with` connects and disconnects."""

    async def start(self) -> OwnedDatabase:
        """Connect. Raises a `StoreError` where that fails."""
        ...

    def start_now(self) -> OwnedDatabase:
        """`start` for code that is not async."""
        ...

    async def close(self) -> None:
        """Disconnect; what was acknowledged stays."""
        ...

    def close_now(self) -> None:
        """`close` for code that is not async."""
        ...


def open_database(place: str | Path) -> OwnedDatabase:
    """The database at a path, `sqlite:///PATH` or `postgresql://…`; connected on `async with` or `start()`.

    Raises:
        ConfigError: The URL's scheme is not known, or what speaks to PostgreSQL is not installed.
    """
    text = str(place)
    scheme, found, rest = text.partition("://")
    if isinstance(place, Path) or not found:
        from segue.memory.sqlite_database import SqliteDatabase

        return SqliteDatabase.open(place)
    if scheme == "sqlite":
        from segue.memory.sqlite_database import SqliteDatabase

        return SqliteDatabase.open(_sqlite_path(rest))
    if scheme in ("postgresql", "postgres"):
        from segue.memory.postgres_database import PostgresDatabase

        return PostgresDatabase.open(text)
    raise ConfigError(f"a database is a path, sqlite:///PATH or postgresql://…; this one begins with {scheme!r}://")


def _sqlite_path(rest: str) -> str:
    """The path of `sqlite:///relative.db` and `sqlite:////absolute.db`."""
    if not rest.startswith("/") or len(rest) < 2:
        raise ConfigError(f"sqlite://{rest} names no file; write sqlite:///relative.db or sqlite:////absolute.db")
    return rest[1:]
