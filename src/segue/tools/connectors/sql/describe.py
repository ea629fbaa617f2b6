"""Describing: what a database holds, with row counts and the values of columns that have few.

Values come out as the result of a tool, never as part of a tool's description: what stands in rows may have been
written by anybody, and a description is read as the developer's own word.
"""

from __future__ import annotations

from segue.tools.connectors.sql.connection import Judge, ReadOnlyFile
from segue.tools.connectors.sql.errors import QueryError
from segue.tools.connectors.sql.result import ColumnInfo, SchemaInfo, TableInfo
from segue.tools.connectors.sql.schema import Column, Schema, Table

MAX_VALUES = 12
_MAX_VALUE_CHARS = 40
_PATIENCE_S = 0.25
"""How long one count or one look at values may take."""


async def describe(
    file: ReadOnlyFile, schema: Schema, judge: Judge, *, only: str | None, notes: list[str]
) -> SchemaInfo:
    """All tables, or one.

    Raises:
        UnknownName: There is no such table.
    """
    wanted = [schema.table(only)] if only else list(schema.tables)
    tables = [await _table(file, table, judge) for table in wanted]
    return SchemaInfo(tables=tables, notes=notes)


async def _table(file: ReadOnlyFile, table: Table, judge: Judge) -> TableInfo:
    try:
        counted = await file.fetch(
            f"SELECT count(*) FROM {_q(table.name)}", judge=judge, max_rows=1, timeout_s=_PATIENCE_S
        )
        count: int | None = counted.rows[0][0]
    except QueryError:
        count = None
    columns = [await _column(file, table, column, judge) for column in table.columns]
    return TableInfo(name=table.name, is_view=table.is_view, row_count=count, columns=columns)


async def _column(file: ReadOnlyFile, table: Table, column: Column, judge: Judge) -> ColumnInfo:
    values: list[object] = []
    if column.kind == "text" and not table.is_view:
        values = await _few_values(file, table, column, judge)
    to = ".".join(column.references) if column.references else ""
    return ColumnInfo(name=column.name, kind=column.kind, references=to, values=values)


async def _few_values(file: ReadOnlyFile, table: Table, column: Column, judge: Judge) -> list[object]:
    name = _q(column.name)
    sql = f"SELECT DISTINCT {name} FROM {_q(table.name)} WHERE {name} IS NOT NULL LIMIT {MAX_VALUES + 1}"
    try:
        found = await file.fetch(sql, judge=judge, max_rows=MAX_VALUES + 1, timeout_s=_PATIENCE_S)
    except QueryError:
        return []
    values = [row[0] for row in found.rows]
    few = len(values) <= MAX_VALUES and all(len(str(value)) <= _MAX_VALUE_CHARS for value in values)
    return sorted(values, key=str) if few else []


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
