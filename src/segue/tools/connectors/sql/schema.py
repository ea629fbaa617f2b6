"""Schema: a SQLite connection in, the tables, views and columns that may be read out, with what each column is.

A column's kind comes from its declared type, its keys and a look at a few rows, since SQLite stores dates as text.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from segue.base.errors import UserError, names
from segue.tools.connectors.sql.errors import UnknownName

ColumnKind = Literal["key", "flag", "integer", "number", "money", "date", "text", "prose", "bytes"]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")
_SAMPLE = 50
_PROSE_CHARS = 80


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column that may be read."""

    name: str
    kind: ColumnKind
    """`key` identifies a row here or elsewhere; `flag` is 0 or 1; `money` is an integer number of cents; `date` is ISO
    text; `prose` is text too long to group by."""
    declared: str
    """The type as the schema declares it; empty for an expression of a view."""
    references: tuple[str, str] | None = None
    """The table and column that it points to."""

    @property
    def is_measure(self) -> bool:
        """Whether sums and means of it say something."""
        return self.kind in ("integer", "number", "money")

    @property
    def is_group(self) -> bool:
        """Whether rows can be grouped by it."""
        return self.kind in ("text", "flag", "integer", "key", "date")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table or view that may be read."""

    name: str
    is_view: bool
    columns: tuple[Column, ...]

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by name in lower case."""
        return {column.name.lower(): column for column in self.columns}

    @property
    def dates(self) -> tuple[Column, ...]:
        """Its date columns, in their order."""
        return tuple(column for column in self.columns if column.kind == "date")

    def column(self, name: str) -> Column:
        """The column of that name, in any case.

        Raises:
            UnknownName: There is none; the message names those spelled alike.
        """
        if (found := self.by_name.get(name.lower())) is None:
            held = [column.name for column in self.columns]
            raise UnknownName("column", name, held, where=f" in {self.name}")
        return found


@dataclass(frozen=True)
class Schema:
    """Everything that may be read."""

    tables: tuple[Table, ...]

    @cached_property
    def by_name(self) -> dict[str, Table]:
        """Tables by name in lower case."""
        return {table.name.lower(): table for table in self.tables}

    def table(self, name: str) -> Table:
        """The table or view of that name, in any case.

        Raises:
            UnknownName: There is none; the message names those spelled alike.
        """
        if (found := self.by_name.get(name.lower())) is None:
            raise UnknownName("table", name, [table.name for table in self.tables])
        return found


def read_schema(db: sqlite3.Connection, *, only: Collection[str] | None, hidden: Iterable[str]) -> Schema:
    """Read what the connection holds, less what is hidden.

    Args:
        db: A connection that may read the schema.
        only: The tables and views to keep; `None` keeps all.
        hidden: Columns to leave out, as `column` (in every table) or `table.column`.

    Raises:
        UserError: `only` or `hidden` names something that is not there.
    """
    rows = db.execute(
        "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND substr(name, 1, 7) <> 'sqlite_' "
        "ORDER BY type, name"
    ).fetchall()
    wanted = {name.lower() for name in only} if only is not None else None
    if wanted is not None and (missing := wanted - {name.lower() for name, _ in rows}):
        raise UserError(f"the database has no table {sorted(missing)[0]!r}; it has: {names(name for name, _ in rows)}")
    unseen = {each.lower() for each in hidden}
    kept = [(name, kind) for name, kind in rows if wanted is None or name.lower() in wanted]
    tables = [table for name, kind in kept if (table := _read_table(db, name, kind == "view", unseen)).columns]
    _check_hidden(db, kept, unseen)
    return Schema(tuple(_without_dangling(table, tables) for table in tables))


def _check_hidden(db: sqlite3.Connection, kept: list[tuple[str, str]], unseen: set[str]) -> None:
    held = {(name.lower(), row[1].lower()) for name, _ in kept for row in db.execute(f"PRAGMA table_info({_q(name)})")}
    known = {column for _, column in held} | {f"{table}.{column}" for table, column in held}
    if unknown := unseen - known:
        raise UserError(
            f"hidden_columns names {sorted(unknown)[0]!r}, and no table has such a column.",
            way_out="Write `column` for every table, or `table.column`.",
        )


def is_hidden(table: str, column: str, unseen: Collection[str]) -> bool:
    """Whether a column is hidden, in every table or in this one."""
    return column.lower() in unseen or f"{table}.{column}".lower() in unseen


def _read_table(db: sqlite3.Connection, name: str, is_view: bool, unseen: set[str]) -> Table:
    try:
        info = [row for row in db.execute(f"PRAGMA table_info({_q(name)})") if not is_hidden(name, row[1], unseen)]
        listed = ", ".join(_q(row[1]) for row in info)
        sample = db.execute(f"SELECT {listed} FROM {_q(name)} LIMIT {_SAMPLE}").fetchall() if info else []
    except sqlite3.Error:  # a view over something that is gone
        return Table(name=name, is_view=is_view, columns=())
    targets = _references(db, name)
    columns = [
        _column(row, [values[at] for values in sample], targets.get(row[1].lower())) for at, row in enumerate(info)
    ]
    return Table(name=name, is_view=is_view, columns=tuple(columns))


def _references(db: sqlite3.Connection, name: str) -> dict[str, tuple[str, str]]:
    """Single-column foreign keys of a table, by column in lower case."""
    found: dict[int, list[tuple[str, str, str]]] = {}
    for row in db.execute(f"PRAGMA foreign_key_list({_q(name)})"):
        target = row[4]
        if target is None:
            keys = [each[1] for each in db.execute(f"PRAGMA table_info({_q(row[2])})") if each[5]]
            target = keys[0] if len(keys) == 1 else ""
        found.setdefault(row[0], []).append((row[3], row[2], target))
    return {keys[0][0].lower(): keys[0][1:] for keys in found.values() if len(keys) == 1 and keys[0][2]}


def _column(info: tuple[int, str, str, int, object, int], sample: list[object], to: tuple[str, str] | None) -> Column:
    _, name, declared, _, _, primary = info
    return Column(name=name, kind=_kind(name, declared, sample, bool(primary or to)), declared=declared, references=to)


def _kind(name: str, declared: str, sample: list[object], is_key: bool) -> ColumnKind:
    values = [value for value in sample if value is not None]
    upper = declared.upper()
    if is_key or (name.lower().endswith("_id") and all(isinstance(value, int | str) for value in values)):
        return "key"
    if values and all(isinstance(value, str) and _DATE.fullmatch(value) for value in values):
        return "date"
    if "BLOB" in upper or any(isinstance(value, bytes) for value in values):
        return "bytes"
    if "INT" in upper or (values and all(isinstance(value, int) for value in values)):
        return "money" if name.lower().endswith("_cents") else "flag" if {0, 1} == set(values) else "integer"
    numeric = any(word in upper for word in ("REAL", "FLOA", "DOUB", "NUM", "DEC"))
    if numeric or (values and all(isinstance(value, int | float) for value in values)):
        return "number"
    if not values and upper in ("DATE", "DATETIME", "TIMESTAMP"):
        return "date"
    return "prose" if any(len(str(value)) > _PROSE_CHARS for value in values) else "text"


def _without_dangling(table: Table, tables: list[Table]) -> Table:
    """The table without references to what may not be read."""
    held = {(each.name.lower(), column.name.lower()) for each in tables for column in each.columns}
    columns = tuple(
        Column(name=c.name, kind=c.kind, declared=c.declared)
        if c.references and (c.references[0].lower(), c.references[1].lower()) not in held
        else c
        for c in table.columns
    )
    return Table(name=table.name, is_view=table.is_view, columns=columns)


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
