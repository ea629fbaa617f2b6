"""The read-only connection: a statement in, at most so many rows out, and nothing else in the world changed.

Four locks, each of which would do: the file is opened read-only, `query_only` is on, an authorizer lets through only
selects over allowed columns with allowed functions, and a statement is one. A progress handler ends what runs too
long or was cancelled. A connection lives for one statement, in one thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from segue.base.errors import StoreError, UserError
from segue.tools.connectors.sql.errors import NotAllowed, QueryError, QueryTimeout
from segue.tools.connectors.sql.functions import ALLOWED_FUNCTIONS

_STEPS = 2_000
"""Virtual machine steps between two looks at the clock; well below a millisecond."""
_MAX_RESULT_CHARS = 4_000_000
_LIMITS = (
    (sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000),
    (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 100_000),
    (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 200),
    (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 50),
    (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
)

Parameters = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True)
class Fetched:
    """What a statement returned."""

    columns: tuple[str, ...]
    """Names made unique: a second `name` is `name_2`."""
    rows: list[tuple[Any, ...]]
    truncated: bool
    """There was more than the limit on rows or on size."""


Verdict = Literal["allow", "deny", "blank"]
"""Of one column: it may be read, the statement is refused, or it reads as NULL."""
Judge = Callable[[str, str, str | None], Verdict]
"""`(table, column, view)`: the column is empty for `count(*)`, the view `None` outside one."""


class ReadOnlyFile:
    """A SQLite file that is only read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """A connection without the authorizer, for reading the schema.

        Raises:
            UserError: There is no such file, or it is no SQLite database.
            StoreError: It cannot be read now.
        """
        if not self.path.is_file():
            raise UserError(
                f"there is no SQLite database at {str(self.path)!r}.",
                way_out="Give the path of an existing file, relative to the current folder or absolute.",
            )
        db: sqlite3.Connection | None = None
        try:
            db = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=5, isolation_level=None)
            for limit, value in _LIMITS:
                db.setlimit(limit, value)
            db.execute("PRAGMA query_only=ON")
            db.execute("PRAGMA trusted_schema=OFF")
            db.execute("SELECT count(*) FROM sqlite_schema")
        except sqlite3.DatabaseError as error:
            if db is not None:
                db.close()
            raise self._unusable(error) from error
        try:
            yield db
        finally:
            db.close()

    def _unusable(self, error: sqlite3.DatabaseError) -> Exception:
        if isinstance(error, sqlite3.OperationalError):
            return StoreError(f"the database {str(self.path)!r} cannot be read: {error}.")
        return UserError(f"{str(self.path)!r} is not a SQLite database: {error}.")

    async def fetch(
        self, sql: str, parameters: Parameters = (), *, judge: Judge, max_rows: int, timeout_s: float
    ) -> Fetched:
        """Run one statement and return its first rows.

        Raises:
            NotAllowed: It does more than read what is allowed.
            QueryTimeout: It ran past `timeout_s`.
            QueryError: SQLite refuses it; the message is SQLite's.
        """
        stop = threading.Event()
        try:
            return await asyncio.to_thread(self._fetch, sql, parameters, judge, max_rows, timeout_s, stop)
        finally:
            stop.set()

    def _fetch(
        self, sql: str, parameters: Parameters, judge: Judge, max_rows: int, timeout_s: float, stop: threading.Event
    ) -> Fetched:
        denied: list[str] = []
        ends_at = time.monotonic() + timeout_s
        with self.open() as db:
            db.set_authorizer(_authorizer(judge, denied))
            db.set_progress_handler(lambda: stop.is_set() or time.monotonic() > ends_at, _STEPS)
            try:
                cursor = db.execute(sql, parameters)
                return _read(cursor, max_rows)
            except (sqlite3.Error, sqlite3.Warning, OverflowError, ValueError) as error:
                raise _said(error, denied, timeout_s) from error


def _read(cursor: sqlite3.Cursor, max_rows: int) -> Fetched:
    columns = _unique([each[0] for each in cursor.description or ()])
    rows: list[tuple[Any, ...]] = []
    chars = 0
    for row in cursor:
        chars += sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)
        if len(rows) == max_rows or chars > _MAX_RESULT_CHARS:
            return Fetched(columns, rows, True)
        rows.append(row)
    return Fetched(columns, rows, False)


def _unique(found: list[str]) -> tuple[str, ...]:
    out: list[str] = []
    for name in found:
        number, unique = 1, name
        while unique in out:
            number += 1
            unique = f"{name}_{number}"
        out.append(unique)
    return tuple(out)


def _said(error: Exception, denied: list[str], timeout_s: float) -> QueryError:
    if denied:
        return NotAllowed(denied[0])
    if "interrupted" in str(error):
        return QueryTimeout(timeout_s)
    return QueryError(f"SQLite says: {error}")


def _authorizer(judge: Judge, denied: list[str]) -> Callable[..., int]:
    def decide(action: int, first: str | None, second: str | None, _database: str | None, source: str | None) -> int:
        if action == sqlite3.SQLITE_SELECT:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ:
            verdict = judge(first or "", second or "", source)
            if verdict != "deny":
                return sqlite3.SQLITE_OK if verdict == "allow" else sqlite3.SQLITE_IGNORE
            through = f" (through {source})" if source else ""
            denied.append(f"{first}.{second}{through} may not be read" if second else f"{first} may not be read")
        elif action == sqlite3.SQLITE_FUNCTION:
            if (second or "").lower() in ALLOWED_FUNCTIONS:
                return sqlite3.SQLITE_OK
            denied.append(f"the function {second} is not allowed")
        elif action == sqlite3.SQLITE_RECURSIVE:
            denied.append("a recursive query is not allowed")
        else:
            denied.append("only one SELECT statement is allowed; nothing else may be done here")
        return sqlite3.SQLITE_DENY

    return decide
