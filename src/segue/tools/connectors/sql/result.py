"""Results: what SQLite returned in, what a model reads and a program may work on out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from segue.tools.connectors.sql.connection import Fetched

MAX_CELL_CHARS = 2_000


@dataclass(frozen=True, kw_only=True)
class QueryResult:
    """The rows of a query, and the statement that made them."""

    sql: str
    parameters: dict[str, Any] = field(default_factory=dict)
    """What is bound to the statement's `:p1`, `:p2`, …"""
    columns: list[str]
    rows: list[dict[str, Any]]
    """The first rows, at most as many as the connector shows; columns named `*_cents` are whole cents."""
    row_count: int
    """How many rows the stored table holds; `rows` may show fewer."""
    truncated: bool
    """The database has more rows than were read."""
    table_id: str = ""
    """Under which all rows are kept for `summarise_table`, `plot` and `run_code`; empty where there are none."""
    notes: list[str] = field(default_factory=list)
    """How the question was understood, where it left a choice."""


@dataclass(frozen=True, kw_only=True)
class ColumnInfo:
    """One column, as a model reads it."""

    name: str
    kind: str
    references: str = ""
    """The column that it points to, as `table.column`."""
    values: list[Any] = field(default_factory=list)
    """All of its values, where they are text and few."""


@dataclass(frozen=True, kw_only=True)
class TableInfo:
    """One table or view, as a model reads it."""

    name: str
    is_view: bool
    row_count: int | None
    """`None` where counting took too long."""
    columns: list[ColumnInfo]


@dataclass(frozen=True, kw_only=True)
class SchemaInfo:
    """What a database holds."""

    tables: list[TableInfo]
    notes: list[str] = field(default_factory=list)


def as_rows(fetched: Fetched) -> list[dict[str, Any]]:
    """The rows as JSON objects; bytes, infinities and texts beyond 2,000 characters are described, not given."""
    return [{name: _cell(value) for name, value in zip(fetched.columns, row, strict=True)} for row in fetched.rows]


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str) and len(value) > MAX_CELL_CHARS:
        return f"{value[:MAX_CELL_CHARS]}… ({len(value)} characters)"
    return value


def shown(rows: Sequence[dict[str, Any]], most: int) -> tuple[list[dict[str, Any]], list[str]]:
    """The first rows, and a note where there are more."""
    if len(rows) <= most:
        return list(rows), []
    return list(rows[:most]), [f"{most} of {len(rows)} rows are shown; the stored table holds them all"]


def spellings(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> list[str]:
    """A note for each column in which groups differ only by case or by spaces around them."""
    notes = []
    for column in columns:
        held: dict[str, set[str]] = {}
        for row in rows:
            if isinstance(value := row.get(column), str):
                held.setdefault(" ".join(value.lower().split()), set()).add(value)
        alike = [sorted(group) for group in held.values() if len(group) > 1]
        if alike:
            example = ", ".join(repr(value) for value in alike[0][:3])
            notes.append(f"{len(alike)} values of {column} are written in more than one way, such as {example}")
    return notes
