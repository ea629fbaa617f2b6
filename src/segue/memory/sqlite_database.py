"""SqliteDatabase: the `Database` port on one SQLite file, spoken to on the caller's own thread.

There is no thread to hop to: a statement takes microseconds, and waits for other processes are awaited. Writers share
commits (`sqlite_commits`); the write-ahead log is brought home by a thread of its own (`sqlite_wal`). A commit outlives
the process at once and, since SQLite syncs when the log is brought home, a loss of power from then on.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar

from segue.base.errors import StoreError
from segue.base.stores import BUSY_S, store_errors, use_wal
from segue.memory.database import Clash, Row, Statement
from segue.memory.sqlite_commits import CommitQueue, Results, is_busy
from segue.memory.sqlite_wal import KEPT_BYTES, WalKeeper

_PAUSE_S = 0.005
_T = TypeVar("_T")
_READS = ("SELECT", "select", "WITH", "with", "PRAGMA", "EXPLAIN")
_SETTINGS = (
    "PRAGMA synchronous=NORMAL",
    "PRAGMA secure_delete=ON",
    "PRAGMA foreign_keys=ON",
    "PRAGMA wal_autocheckpoint=0",
    f"PRAGMA journal_size_limit={KEPT_BYTES}",
)


class SqliteDatabase:
    """One file, usable from event loops and from threads. `async with`, `with`, or `start()` and `close()`.

    Args:
        path: The file; it and its folder are made where missing.
    """

    dialect: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._db: sqlite3.Connection | None = None
        self._mutex = threading.RLock()
        self._queues: dict[int, CommitQueue] = {}
        self._wal = WalKeeper(self.path)
        self._inode = (0, 0)
        self._seen_at = 0.0
        """When the file was last looked for in its place: a look takes as long as a statement."""
        self._pid = 0

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """The database on a file; it connects on `async with`, `with` or `start()`."""
        return cls(path)

    async def start(self) -> Self:
        """Connect, in a thread: taking turns at a new file may take a moment.

        Raises:
            StoreError: The file cannot be opened.
        """
        await asyncio.to_thread(self.start_now)
        return self

    def start_now(self) -> Self:
        """`start` for code that is not async."""
        with self._mutex, store_errors(self.path):
            if self._db is None:
                self._db = self._connect()
        return self

    async def close(self) -> None:
        """Write what waits, bring the log home and disconnect; closing twice does nothing."""
        for queue in list(self._queues.values()):
            queue.flush()
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """`close` for code that is not async; writers of other loops that still wait are refused."""
        with self._mutex:
            db, self._db = self._db, None
            queues, self._queues = list(self._queues.values()), {}
            for queue in queues:
                if len(queue) and not queue.loop.is_closed():
                    queue.loop.call_soon_threadsafe(queue.close, self._closed())
            self._wal.wait()
            if db is not None:
                with store_errors(self.path):
                    db.close()

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
        if not sql.startswith(_READS):
            return (await self.transaction([(sql, parameters)]))[0]
        self._flush()
        ends = time.monotonic() + BUSY_S
        while True:
            try:
                return self._read(sql, parameters)
            except StoreError as error:
                if not _may_wait(error, ends):
                    raise
            await asyncio.sleep(_PAUSE_S)

    async def transaction(self, statements: Sequence[Statement], *, soon: bool = True, seen_s: float = 0.0) -> Results:
        """Several statements, all or none; see `Database.transaction`."""
        queue = self._queue()
        try:
            if soon and not len(queue):  # nobody to take along
                with suppress(sqlite3.OperationalError):  # busy, mostly: the queue is patient, or says what it is
                    return self._run_all([statements], seen_s)[0]
            return await queue.put(statements, soon=soon, seen_s=seen_s)
        except sqlite3.Error as error:
            raise self._told(error) from error

    def execute_now(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """One statement; see `Database.execute_now`."""
        if not sql.startswith(_READS):
            return self.transaction_now([(sql, parameters)])[0]
        return self._patiently(lambda: self._read(sql, parameters))

    def transaction_now(self, statements: Sequence[Statement]) -> Results:
        """Several statements, all or none; see `Database.transaction_now`."""

        def run() -> Results:
            try:
                return self._run_all([statements], 0.0)[0]
            except sqlite3.Error as error:
                raise self._told(error) from error

        return self._patiently(run)

    async def bring_home(self) -> None:
        """Move the write-ahead log into the file and empty it, so that what was deleted lies in neither."""
        self._flush()
        await asyncio.to_thread(self._wal.empty)

    def bring_home_now(self) -> None:
        """`bring_home` for code that is not async."""
        self._wal.empty()

    def _connect(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the folder {self.path.parent} cannot be made: {error.strerror}.") from error
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=BUSY_S)
        try:
            use_wal(db)
            for setting in _SETTINGS:
                db.execute(setting)
            db.execute("PRAGMA busy_timeout=0")
            self._inode, self._pid = self._identity(), os.getpid()
        except BaseException:
            db.close()
            raise
        return db

    def _queue(self) -> CommitQueue:
        loop = asyncio.get_running_loop()
        queue = self._queues.get(id(loop))
        if queue is None or queue.loop is not loop:
            self._connection()
            self._queues = {key: held for key, held in self._queues.items() if not held.loop.is_closed()}
            queue = self._queues[id(loop)] = CommitQueue(loop, self._run_all)
        return queue

    def _flush(self) -> None:
        queue = self._queue()
        if len(queue):
            queue.flush()

    def _run_all(self, transactions: Sequence[Sequence[Statement]], seen_s: float) -> list[Results]:
        with self._mutex:
            db = self._connection(seen_s)
            if self._wal.wanted:
                raise sqlite3.OperationalError("database is locked: its log is being brought home")
            cursor = db.cursor()
            run, rows = cursor.execute, cursor.fetchall
            run("BEGIN IMMEDIATE")
            try:
                found = [[(run(*each), rows())[1] for each in statements] for statements in transactions]
                run("COMMIT")
            except BaseException:
                if db.in_transaction:
                    run("ROLLBACK")
                raise
            self._wal.wrote()
            return found

    def _read(self, sql: str, parameters: Sequence[object]) -> list[Row]:
        with self._mutex, self._errors():
            return self._connection().execute(sql, parameters).fetchall()

    def _connection(self, seen_s: float = 0.0) -> sqlite3.Connection:
        """The connection, if it still speaks to the file that stands at the path.

        Raises:
            StoreError: It is closed, or the file is gone: what SQLite wrote into it now would be lost.
        """
        db = self._db
        if db is None:
            raise self._closed()
        now = time.monotonic()
        if now - self._seen_at >= seen_s:
            if self._identity() != self._inode:
                raise self._gone()
            self._seen_at = now
        if os.getpid() != self._pid:
            raise _final(
                f"{self.path} was opened by process {self._pid}, and this is its child.", "Open it anew in each."
            )
        return db

    def _identity(self) -> tuple[int, int]:
        try:
            found = os.stat(self.path)
        except OSError:
            return (-1, -1)
        return (found.st_dev, found.st_ino)

    def _patiently(self, attempt: Callable[[], _T]) -> _T:
        ends = time.monotonic() + BUSY_S
        while True:
            try:
                return attempt()
            except StoreError as error:
                if not _may_wait(error, ends):
                    raise
            time.sleep(_PAUSE_S)

    def _told(self, error: sqlite3.Error) -> StoreError:
        """What SQLite raised, in our words."""
        if isinstance(error, sqlite3.IntegrityError):
            return Clash(f"{self.path} refused a row: {error}.")
        try:
            with store_errors(self.path):
                raise error
        except StoreError as told:
            return told

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._told(error) from error

    def _closed(self) -> StoreError:
        return _final(f"{self.path} is not open.", "Use the database inside its `async with`.")

    def _gone(self) -> StoreError:
        return _final(
            f"{self.path} was moved or deleted while it was in use; nothing more is written to it.",
            "Bring it back or start with an empty one, and open it anew.",
        )


def _may_wait(error: StoreError, ends: float) -> bool:
    return error.__cause__ is not None and is_busy(error.__cause__) and time.monotonic() < ends


def _final(message: str, way_out: str) -> StoreError:
    found = StoreError(message, way_out=way_out)
    found.retryable = False
    return found
