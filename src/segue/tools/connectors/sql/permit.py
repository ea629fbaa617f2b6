"""Permits: which column of which table a statement may read, as SQLite itself names them while it compiles.

What a view reads below its surface is recorded once, when the schema is read, and allowed through that view only. A
view that reads a hidden column is left out of the schema as a whole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from segue.tools.connectors.sql.schema import Schema, Table, is_hidden

ReadThrough = tuple[str, str, str]
"""`(view, table, column)`, in lower case: the innermost view that a read stands in, and what is read."""


@dataclass(frozen=True)
class Permit:
    """What may be read."""

    schema: Schema
    through_views: frozenset[ReadThrough]

    def allows(self, table: str, column: str, source: str | None) -> bool:
        """Whether this read, as the authorizer is told of it, is one of those permitted."""
        if source and (source.lower(), table.lower(), column.lower()) in self.through_views:
            return True
        held = self.schema.by_name.get(table.lower())
        return held is not None and (column.lower() in held.by_name or column in ("", "ROWID"))


def permit(db: sqlite3.Connection, schema: Schema, unseen: Collection[str]) -> tuple[Permit, list[str]]:
    """What may be read of this schema, and a note for each view that had to be left out."""
    kept: list[Table] = []
    reads: set[ReadThrough] = set()
    notes: list[str] = []
    for table in schema.tables:
        below = _reads_below(db, table) if table.is_view else set()
        if seen := sorted(f"{name}.{column}" for _, name, column in below if is_hidden(name, column, unseen)):
            notes.append(f"the view {table.name} is left out: it reads the hidden column {seen[0]}")
            continue
        kept.append(table)
        reads |= below
    return Permit(Schema(tuple(kept)), frozenset(reads)), notes


def _reads_below(db: sqlite3.Connection, view: Table) -> set[ReadThrough]:
    found: set[ReadThrough] = set()

    def note(action: int, table: str | None, column: str | None, _database: str | None, source: str | None) -> int:
        if action == sqlite3.SQLITE_READ and source and table:
            found.add((source.lower(), table.lower(), (column or "").lower()))
        return sqlite3.SQLITE_OK

    columns: Sequence[str] = [f'"{column.name}"' for column in view.columns]
    db.set_authorizer(note)
    try:
        db.execute(f'EXPLAIN SELECT {", ".join(columns)} FROM "{view.name}"').fetchall()
        db.execute(f'EXPLAIN SELECT count(*) FROM "{view.name}"').fetchall()
    finally:
        db.set_authorizer(None)
    return found
