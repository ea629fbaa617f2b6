"""Database: a SQLite file that agents ask questions of, and cannot change.

Three tools: what is there, a structured query filled from the schema's own names, and free SQL behind the guard. The
rows of each query are kept under an id, so that a program can work on them without a model copying them.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from segue.base.errors import UserError
from segue.tools.connectors.sql.compile import compile_question
from segue.tools.connectors.sql.connection import Fetched, Parameters, ReadOnlyFile
from segue.tools.connectors.sql.describe import describe
from segue.tools.connectors.sql.guard import check
from segue.tools.connectors.sql.permit import Permit, permit
from segue.tools.connectors.sql.question import Question, read_question
from segue.tools.connectors.sql.result import QueryResult, SchemaInfo, as_rows, shown, spellings
from segue.tools.connectors.sql.schema import Schema, read_schema
from segue.tools.connectors.sql.surface import describe_tool, query_tool, sql_tool
from segue.tools.sandbox.tables import SqliteTableStore, TableStore
from segue.tools.tool import Tool
from segue.tools.toolset import Toolset


class Database(Toolset):
    """A SQLite database, read only.

    Args:
        source: `sqlite:///shop.db` (relative to the current folder), `sqlite:////data/shop.db`, or a path.
        name: Ends the tools' names: `query_shop`. The file's name by default.
        description: What the data is about, in a sentence; the tools' descriptions repeat it.
        tables: The tables and views that may be read; `None` is all of them.
        hidden_columns: Columns that nobody sees, as `column` in every table or `table.column`.
        max_rows: How many rows are read and kept at most.
        shown_rows: How many of them a model reads.
        timeout_s: How long one statement may run, in seconds.
        store: Where results are kept by id; `.segue/tables.db` by default.

    Raises:
        UserError: The source is no SQLite database that we know how to open. Whether the file is there is found out
            at first use.
    """

    def __init__(
        self,
        source: str | Path,
        *,
        name: str | None = None,
        description: str = "",
        tables: Sequence[str] | None = None,
        hidden_columns: Iterable[str] = (),
        max_rows: int = 5000,
        shown_rows: int = 50,
        timeout_s: float = 5.0,
        store: TableStore | None = None,
    ) -> None:
        self.path = _path(source)
        self.name = name or re.sub(r"\W+", "_", self.path.stem).strip("_") or "database"
        self.description = description
        self.timeout_s = timeout_s
        self.max_rows, self.shown_rows = max_rows, shown_rows
        self.store: TableStore = store or SqliteTableStore()
        self._only = None if tables is None else tuple(tables)
        self._hidden = frozenset(column.lower() for column in hidden_columns)
        self._file = ReadOnlyFile(self.path)
        self._lock = threading.Lock()
        self._known: tuple[tuple[int, int], Permit, list[str]] | None = None

    def tools(self) -> Sequence[Tool]:
        """The three tools.

        Raises:
            UserError: The file is missing or no SQLite database, or a table that was named is not in it.
        """
        return [self.describe, self.query, self.sql]

    @property
    def describe(self) -> Tool:
        """`describe_…`: tables, columns and row counts."""
        return describe_tool(self)

    @property
    def query(self) -> Tool:
        """`query_…`: counts, sums and means by group, from the schema's own names. Reads the schema."""
        return query_tool(self, self.schema())

    @property
    def sql(self) -> Tool:
        """`sql_…`: one SELECT in SQLite's SQL."""
        return sql_tool(self)

    def schema(self) -> Schema:
        """What may be read; read from the file again where that changed.

        Raises:
            UserError: The file is missing or no SQLite database, or a table that was named is not in it.
        """
        return self._permit()[0].schema

    async def overview(self, table: str | None = None) -> SchemaInfo:
        """Tables, columns, row counts, and the values of text columns that have at most 12.

        Raises:
            UnknownName: There is no such table.
        """
        permitted, notes = await asyncio.to_thread(self._permit)
        return await describe(self._file, permitted.schema, permitted.judge, only=table, notes=notes)

    async def ask(self, question: Question | dict[str, Any], *, tenant: str = "local") -> QueryResult:
        """Answer a structured query.

        Raises:
            QueryError: It does not fit the schema; the message says what would.
        """
        asked = question if isinstance(question, Question) else read_question(question)
        permitted, _ = await asyncio.to_thread(self._permit)
        compiled = await asyncio.to_thread(compile_question, asked, permitted.schema)
        fetched = await self._fetch(permitted, compiled.sql, compiled.parameters, asked.limit)
        unlike = spellings(as_rows(fetched), fetched.columns[:-1])
        notes = [*compiled.notes, *unlike]
        return await self._result(tenant, compiled.sql, compiled.parameters, fetched, notes)

    async def execute(self, statement: str, *, tenant: str = "local") -> QueryResult:
        """Run one SELECT.

        Raises:
            QueryError: It is not one SELECT over what may be read, SQLite refuses it, or it takes too long.
        """
        permitted, _ = await asyncio.to_thread(self._permit)
        checked = await asyncio.to_thread(check, statement, permitted.schema)
        fetched = await self._fetch(permitted, checked, (), self.max_rows)
        return await self._result(tenant, checked, {}, fetched, [])

    async def _fetch(self, permitted: Permit, sql: str, parameters: Parameters, most: int) -> Fetched:
        limit = min(most, self.max_rows)
        return await self._file.fetch(sql, parameters, judge=permitted.judge, max_rows=limit, timeout_s=self.timeout_s)

    async def _result(
        self, tenant: str, sql: str, parameters: dict[str, Any], fetched: Fetched, notes: list[str]
    ) -> QueryResult:
        rows = as_rows(fetched)
        first, more = shown(rows, self.shown_rows)
        return QueryResult(
            sql=sql,
            parameters=parameters,
            columns=list(fetched.columns),
            rows=first,
            row_count=len(rows),
            truncated=fetched.truncated,
            table_id=await self.store.put(tenant, rows) if rows else "",
            notes=[*notes, *more],
        )

    def _permit(self) -> tuple[Permit, list[str]]:
        with self._file.open() as db:
            mark = (self.path.stat().st_ino, int(db.execute("PRAGMA schema_version").fetchone()[0]))
            with self._lock:
                if self._known is None or self._known[0] != mark:
                    schema = read_schema(db, only=self._only, hidden=self._hidden)
                    self._known = (mark, *permit(db, schema, self._hidden))
                return self._known[1], self._known[2]


def _path(source: str | Path) -> Path:
    if isinstance(source, Path):
        return source.absolute()
    if source.startswith("sqlite:///"):
        return Path(unquote(source.removeprefix("sqlite:///"))).absolute()
    if "://" in source:
        raise UserError(
            f"Database({source.split('://', 1)[0] + '://…'!r}): only SQLite files can be opened.",
            way_out="Write sqlite:///shop.db, or the path of the file.",
        )
    return Path(source).absolute()
