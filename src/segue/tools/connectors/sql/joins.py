"""Joins: which columns can be reached from a table along its foreign keys, and the joins that reaching them takes.

Only from many to one: an order line has one order, which has one customer. So a join adds columns and never rows.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from segue.tools.connectors.sql.errors import QueryError, UnknownName
from segue.tools.connectors.sql.schema import Column, Schema, Table

if TYPE_CHECKING:
    from sqlglot import exp

MAX_STEPS = 4


@dataclass(frozen=True)
class Step:
    """One foreign key: `column` of `source` points to `target_column` of `target`."""

    source: str
    column: str
    target: str
    target_column: str


@dataclass(frozen=True)
class Place:
    """A column and the way to it; an empty way is the table itself."""

    table: Table
    column: Column
    way: tuple[Step, ...]


Ways = dict[tuple[Step, ...], Table]


def walk(table: Table, schema: Schema) -> Ways:
    """Every way from the table along foreign keys, the shortest first; a table is not entered twice on one way."""
    ways: Ways = {(): table}
    waiting: deque[tuple[tuple[Step, ...], Table]] = deque([((), table)])
    while waiting:
        way, at = waiting.popleft()
        if len(way) == MAX_STEPS:
            continue
        passed = {table.name, *(step.target for step in way)}
        for column in at.columns:
            target = schema.by_name.get(column.references[0].lower()) if column.references else None
            if target is None or target.name in passed or column.references is None:
                continue
            longer = (*way, Step(at.name, column.name, target.name, column.references[1]))
            ways[longer] = target
            waiting.append((longer, target))
    return ways


@dataclass
class Places:
    """The columns that can be named in a question over one table, and the joins used so far."""

    table: Table
    ways: Ways
    used: list[tuple[Step, ...]] = field(default_factory=list)

    def find(self, name: str) -> Place | None:
        """The column of that name, `column` or `table.column`, nearest first; `None` where there is none.

        Raises:
            QueryError: Two ways of the same length lead to such a column.
        """
        owner, _, bare = name.lower().rpartition(".")
        found = [
            Place(table, table.by_name[bare], way)
            for way, table in self.ways.items()
            if bare in table.by_name and owner in ("", table.name.lower())
        ]
        nearest = [place for place in found if len(place.way) == len(found[0].way)]
        if len(nearest) > 1:
            shown = " or ".join(f"{place.table.name}.{place.column.name}" for place in nearest)
            ways = "; ".join(" > ".join((self.table.name, *(step.target for step in place.way))) for place in nearest)
            raise QueryError(
                f"{name!r} is ambiguous: {shown} ({ways}). Name the table, or ask with table=the nearer one"
            )
        return nearest[0] if nearest else None

    def get(self, name: str) -> Place:
        """The column of that name.

        Raises:
            UnknownName: There is none within reach.
            QueryError: It is ambiguous.
        """
        if (place := self.find(name)) is None:
            raise self.unknown(name)
        return place

    def unknown(self, name: str) -> UnknownName:
        """The error for a name that leads nowhere."""
        held = {column.name for table in self.ways.values() for column in table.columns}
        return UnknownName("column", name, held, where=f" in {self.table.name} or what it points to")

    def hint(self, kind: str) -> str:
        """The columns of one kind, for a message."""
        held = [f"{t.name}.{c.name}" for t in self.ways.values() for c in t.columns if c.kind == kind]
        return f"{kind} columns: {', '.join(dict.fromkeys(held)) or 'none'}"

    def own(self, column: Column) -> exp.Column:
        """A column of the table itself."""
        return self.column(Place(self.table, column, ()))

    def column(self, place: Place) -> exp.Column:
        """The column as it stands in SQL; the joins that it needs are remembered."""
        from sqlglot import exp

        for length in range(1, len(place.way) + 1):
            if place.way[:length] not in self.used:
                self.used.append(place.way[:length])
        return exp.column(place.column.name, table=self._alias(place.way), quoted=True)

    def join(self, select: exp.Select) -> exp.Select:
        """The select over the table and every join that was used; a row without a partner is kept."""
        from sqlglot import exp

        select = select.from_(exp.to_table(f'"{self.table.name}"', dialect="sqlite"))
        for way in self.used:
            step, alias = way[-1], self._alias(way)
            source = exp.column(step.column, table=self._alias(way[:-1]), quoted=True)
            target = exp.column(step.target_column, table=alias, quoted=True)
            table = exp.alias_(exp.to_table(f'"{step.target}"', dialect="sqlite"), alias, table=True, quoted=True)
            select = select.join(table, on=exp.EQ(this=source, expression=target), join_type="LEFT")
        return select

    def _alias(self, way: tuple[Step, ...]) -> str:
        if not way:
            return self.table.name
        same = [each for each in self.ways if each and each[-1].target == way[-1].target]
        return way[-1].target if len(same) == 1 else "_".join(step.target for step in way)
