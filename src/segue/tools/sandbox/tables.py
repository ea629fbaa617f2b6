"""Tables: rows that one tool returned and another works on, kept by an id so that no model has to copy them.

A query's result is put in and gets an id such as `tbl_0a1b…`; a program in the sandbox is given the id. The id is
derived from tenant and content: the same rows have the same id, and one tenant's id is nothing to another.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import orjson

from segue.base.errors import StoreError
from segue.base.ids import content_hash, derived_id
from segue.base.stores import use_wal
from segue.memory.documents.place import state_file

Row = dict[str, Any]

TABLE_ID_PATTERN = "^tbl_[0-9a-z]+$"
MAX_ROWS = 50_000
MAX_BYTES = 16_000_000
KEPT_PER_TENANT = 500
"""The newest tables of a tenant that the SQLite store keeps."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tables (
    tenant TEXT NOT NULL, table_id TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (tenant, table_id)
)
"""
_PRUNE = """
DELETE FROM tables WHERE tenant = ?1 AND at <= (
    SELECT at FROM tables WHERE tenant = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)
"""


class NoSuchTable(LookupError):
    """An id under which this tenant has no table."""

    def __init__(self, table_id: str) -> None:
        super().__init__(
            f"there is no table {table_id!r}; a table's id comes with a query's result as `table_id`. "
            "Run the query again, or give the rows themselves."
        )
        self.table_id = table_id


class TableTooLarge(ValueError):
    """More rows or bytes than a stored table may have."""

    def __init__(self, rows: int, size: int) -> None:
        super().__init__(
            f"a table of {rows} rows and {size} bytes is too large to keep; at most {MAX_ROWS} rows and {MAX_BYTES} "
            "bytes. Group or filter the rows first."
        )


class TableStore(Protocol):
    """Keeps rows by id, within a tenant."""

    async def put(self, tenant: str, rows: Sequence[Row]) -> str:
        """Keep the rows and return their id. Raises `TableTooLarge`."""
        ...

    async def get(self, tenant: str, table_id: str) -> list[Row]:
        """The rows. Raises `NoSuchTable`."""
        ...


class MemoryTableStore:
    """Tables that last as long as the object."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], bytes] = {}

    async def put(self, tenant: str, rows: Sequence[Row]) -> str:
        """Keep the rows and return their id."""
        table_id, data = _encode(tenant, rows)
        self._held[tenant, table_id] = data
        return table_id

    async def get(self, tenant: str, table_id: str) -> list[Row]:
        """The rows."""
        if (data := self._held.get((tenant, table_id))) is None:
            raise NoSuchTable(table_id)
        return _decode(data)


class SqliteTableStore:
    """Tables in one SQLite file, shared by every process that names it.

    Args:
        file: `None` is `tables.db` where our files lie, see `segue.memory.documents.place`.
    """

    def __init__(self, file: Path | str | None = None) -> None:
        self._file = None if file is None else Path(file)

    @property
    def file(self) -> Path:
        """The file, made when first written to."""
        if self._file is None:
            self._file = state_file("tables.db")
        return self._file

    async def put(self, tenant: str, rows: Sequence[Row]) -> str:
        """Keep the rows and return their id."""
        return await asyncio.to_thread(self._put, tenant, rows)

    async def get(self, tenant: str, table_id: str) -> list[Row]:
        """The rows."""
        return await asyncio.to_thread(self._get, tenant, table_id)

    def _put(self, tenant: str, rows: Sequence[Row]) -> str:
        table_id, data = _encode(tenant, rows)
        with closing(self._connect()) as db, db:
            db.execute(
                "INSERT OR REPLACE INTO tables SELECT ?, ?, coalesce(max(at), 0) + 1, ? FROM tables",
                (tenant, table_id, data),
            )
            db.execute(_PRUNE, (tenant, KEPT_PER_TENANT))
        return table_id

    def _get(self, tenant: str, table_id: str) -> list[Row]:
        with closing(self._connect()) as db:
            found = db.execute(
                "SELECT data FROM tables WHERE tenant = ? AND table_id = ?", (tenant, table_id)
            ).fetchone()
        if found is None:
            raise NoSuchTable(table_id)
        return _decode(found[0])

    def _connect(self) -> sqlite3.Connection:
        db = None
        try:
            db = sqlite3.connect(self.file, timeout=10)
            use_wal(db)
            db.execute("PRAGMA secure_delete=ON")
            db.execute(_SCHEMA)
            return db
        except sqlite3.Error as error:
            if db is not None:
                db.close()
            raise StoreError(
                f"the table store {str(self.file)!r} cannot be used: {error}.",
                way_out="It holds results of queries only, and can be deleted.",
            ) from error


def _encode(tenant: str, rows: Sequence[Row]) -> tuple[str, bytes]:
    data = orjson.dumps(list(rows), option=orjson.OPT_NON_STR_KEYS)
    if len(rows) > MAX_ROWS or len(data) > MAX_BYTES:
        raise TableTooLarge(len(rows), len(data))
    return derived_id("tbl", tenant, content_hash(data)), data


def _decode(data: bytes) -> list[Row]:
    rows: list[Row] = orjson.loads(data)
    return rows
