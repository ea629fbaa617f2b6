"""Permits: which column of which table a statement may read, as SQLite itself names them while it compiles.

What a view reads below its surface is recorded once, when the schema is read, and allowed through that view only. A
hidden column that a view does no more than show reads as NULL through it; a view that filters, joins or groups by a
hidden column is left out as a whole, since its rows would be wrong.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from segue.tools.connectors.sql.connection import Verdict
from segue.tools.connectors.sql.schema import Schema, Table, is_hidden

if TYPE_CHECKING:
    from sqlglot import exp

ReadThrough = tuple[str, str, str]
"""`(view, table, column)`, in lower case: the innermost view that a read stands in, and what is read."""


@dataclass(frozen=True)
class Permit:
    """What may be read."""

    schema: Schema
    through_views: frozenset[ReadThrough]

    blanked: frozenset[ReadThrough] = frozenset()
    """What reads as NULL."""

    def judge(self, table: str, column: str, source: str | None) -> Verdict:
        """What becomes of this read, as the authorizer is told of it."""
        through = ((source or "").lower(), table.lower(), column.lower())
        if through in self.blanked:
            return "blank"
        held = self.schema.by_name.get(table.lower())
        own = held is not None and (column.lower() in held.by_name or column in ("", "ROWID"))
        joined = not column and source is None and table.lower() in self.below_views
        return "allow" if own or joined or through in self.through_views else "deny"

    @cached_property
    def below_views(self) -> frozenset[str]:
        """The tables that views read.

        A view whose columns of one are not asked for still joins it, and SQLite tells of
        that without naming the view; a statement that names the table itself has been refused by the guard before.
        """
        return frozenset(table for _, table, _ in self.through_views)


def permit(db: sqlite3.Connection, schema: Schema, unseen: Collection[str]) -> tuple[Permit, list[str]]:
    """What may be read of this schema, and a note for each view that had to be left out."""
    kept: list[Table] = []
    reads: set[ReadThrough] = set()
    blanked: set[ReadThrough] = set()
    notes: list[str] = []
    for table in schema.tables:
        below = _reads_below(db, table) if table.is_view else set()
        seen = {read for read in below if is_hidden(read[1], read[2], unseen)}
        if not all(_only_shows(db, *read) for read in seen):
            first = sorted(f"{name}.{column}" for _, name, column in seen)[0]
            notes.append(f"the view {table.name} is left out: its rows depend on the hidden column {first}")
            continue
        kept.append(table)
        reads |= below - seen
        blanked |= seen
    return Permit(Schema(tuple(kept)), frozenset(reads), frozenset(blanked)), notes


def _only_shows(db: sqlite3.Connection, view: str, _table: str, column: str) -> bool:
    """Whether the view only lists the column in its outermost SELECT, so that a NULL there changes nothing else."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    row = db.execute("SELECT sql FROM sqlite_schema WHERE type = 'view' AND lower(name) = ?", (view,)).fetchone()
    try:
        tree = sqlglot.parse_one(row[0], read="sqlite").expression if row else None
    except SqlglotError:
        return False
    if not isinstance(tree, exp.Select) or any(tree.args.get(part) for part in ("distinct", "group", "having")):
        return False
    shown = {id(node) for each in tree.expressions for node in each.find_all(exp.Column) if _stands_in(node, tree)}
    named = [node for node in tree.find_all(exp.Column) if node.name.lower() == column]
    joined = [name.name.lower() for join in tree.args.get("joins") or () for name in join.args.get("using") or ()]
    return bool(named) and column not in joined and all(id(node) in shown for node in named)


def _stands_in(node: exp.Expression, select: exp.Select) -> bool:
    from sqlglot import exp

    return node.find_ancestor(exp.Select) is select


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
