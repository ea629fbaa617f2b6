"""Rows: statements in, rows out, for code that is not async; one SQLite file, or any database behind the same face.

What a store of ours needs of a database that it does not share the event loop with. SQL is written in what SQLite and
PostgreSQL both understand, with `?` for each parameter. `SqliteRows` is the one in the house; PostgreSQL is
`segue.memory.postgres_database`, which the workspace hands to a store.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

from segue.base.stores import BUSY_S, store_errors, use_wal

Row = tuple[Any, ...]
Statement = tuple[str, Sequence[Any]]
_AT_ONCE = (128, 64, 32, 16, 8, 4, 2, 1)
"""Rows that one statement inserts: a database across a network is asked for many at once, and few statements differ, so
that each is compiled once."""


class Rows(Protocol):
    """A database that is open. Safe from any thread; every call blocks until it is back.

    Raises:
        StoreError: From any of them: it cannot be read or written.
    """

    @property
    def dialect(self) -> Literal["sqlite", "postgres"]:
        """Which SQL it speaks, where the two differ."""
        ...

    def execute_now(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run one statement and return its rows; what it wrote is durable by then."""
        ...

    def transaction_now(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Run statements together, all or none, and return the rows of each."""
        ...

    def close_now(self) -> None:
        """Let go of it."""
        ...


class SqliteRows:
    """One SQLite file, made where there is none; what is deleted is overwritten in it."""

    dialect: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, path: Path | str, *, block_s: float = BUSY_S) -> None:
        """`block_s`: how long a statement may wait for another process that holds the file."""
        self.path = str(path)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(self.path, check_same_thread=False, timeout=BUSY_S)
        use_wal(self._db)
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA secure_delete=ON")
        self.waits(block_s)

    def waits(self, block_s: float) -> None:
        """From now on, wait so long for another process."""
        self._db.execute(f"PRAGMA busy_timeout={int(block_s * 1000)}")

    def execute_now(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """One statement; see `Rows.execute_now`."""
        with store_errors(self.path), self._lock, self._db:
            return self._db.execute(sql, parameters).fetchall()

    def transaction_now(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Several statements, all or none; see `Rows.transaction_now`."""
        with store_errors(self.path), self._lock, self._db:
            return [self._db.execute(sql, held).fetchall() for sql, held in statements]

    def empty_log(self) -> None:
        """Bring the write-ahead log home, so that what was deleted lies in neither."""
        with store_errors(self.path), self._lock:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close_now(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def inserted(table: str, rows: Sequence[Row], *, more: str = "") -> list[Statement]:
    """Statements that insert rows of one length, many at a time; `more` is what stands behind the values."""
    found: list[Statement] = []
    start, left = 0, len(rows)
    for size in _AT_ONCE:
        while left >= size:
            part = rows[start : start + size]
            found.append((_insert(table, len(part[0]), size, more), [value for row in part for value in row]))
            start, left = start + size, left - size
    return found


@lru_cache(maxsize=256)
def _insert(table: str, columns: int, rows: int, more: str) -> str:
    marks = ", ".join([f"({', '.join('?' * columns)})"] * rows)
    return f"INSERT INTO {table} VALUES {marks} {more}".rstrip()


class Tables:
    """Tables of one store: in a file of its own, or beside others in a database that is open, which stays open.

    In statements `@runs` is the table: `runs` in a file, `segue_runs` in a database that others use, too.
    """

    def __init__(self, place: Path | str | Rows, schema: Mapping[str, Sequence[str]]) -> None:
        """Make the tables of the database's dialect where they are missing; who comes at the same moment waits.

        Raises:
            StoreError: They cannot be made.
        """
        self.rows: Rows = SqliteRows(place) if isinstance(place, str | Path) else place
        """The database."""
        self.own = self.rows if isinstance(self.rows, SqliteRows) else None
        """The file; `None` where it is a database."""
        self.dialect = self.rows.dialect
        self._prefix = "" if self.dialect == "sqlite" else "segue_"
        statements: list[Statement] = [(each, ()) for each in schema[self.dialect]]
        if self.dialect == "postgres":
            statements.insert(0, ("SELECT pg_advisory_xact_lock(7310579, 2)", ()))
        self.transaction(statements)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """One statement; see `Rows.execute_now`."""
        return self.rows.execute_now(_named(sql, self._prefix), parameters)

    def transaction(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Several statements, all or none; see `Rows.transaction_now`."""
        prefix = self._prefix
        return self.rows.transaction_now([(_named(sql, prefix), held) for sql, held in statements])

    def bound(self, limit: int) -> int | None:
        """A limit as the database takes it; below 0 for none."""
        return limit if limit >= 0 or self.dialect == "sqlite" else None

    def close(self) -> None:
        """Close the file, where it is one."""
        if self.own is not None:
            self.own.close_now()


@lru_cache(maxsize=256)
def _named(sql: str, prefix: str) -> str:
    """A statement about the tables as they are called in the database."""
    return sql.replace("@", prefix)


def in_both(*statements: str) -> dict[str, tuple[str, ...]]:
    """A schema as SQLite has it, in both dialects."""
    return {"sqlite": statements, "postgres": tuple(_for_postgres(each) for each in statements)}


def _for_postgres(statement: str) -> str:
    return statement.replace(" BLOB", " BYTEA").replace(" INTEGER", " BIGINT").replace(" WITHOUT ROWID", "")
