"""Compiling: a question and a schema in, one SELECT with bound parameters out.

A column of another table is reached along foreign keys, from many to one only, so that no row is counted twice; where
two paths of the same length lead to such a column the question is refused as ambiguous. Values never become SQL text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from segue.tools.connectors.sql.errors import QueryError, UnknownName
from segue.tools.connectors.sql.joins import Place, Places, walk
from segue.tools.connectors.sql.question import ROWS, Filter, Question, day_after, first_day
from segue.tools.connectors.sql.schema import Column, Schema, Table

if TYPE_CHECKING:
    from sqlglot import exp

BUCKETS = {"day": 10, "month": 7, "year": 4}
"""Periods of a date column, and how much of the ISO text names one."""


@dataclass(frozen=True)
class Compiled:
    """A statement that is ready to run."""

    sql: str
    parameters: dict[str, Any]
    notes: tuple[str, ...]
    """What was understood where the question left a choice."""


@dataclass
class _Build:
    table: Table
    places: Places
    parameters: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def bind(self, value: Any) -> exp.Expression:
        from sqlglot import exp

        name = f"p{len(self.parameters) + 1}"
        self.parameters[name] = int(value) if isinstance(value, bool) else value
        return exp.Placeholder(this=name)

    def mention(self, place: Place) -> None:
        """Note that a column is another table's."""
        note = f"{place.column.name} is that of {place.table.name}"
        if place.way and note not in self.notes:
            self.notes.append(note)


def compile_question(question: Question, schema: Schema) -> Compiled:
    """The SELECT that answers the question.

    Raises:
        UnknownName: A table or column is not there; the message names those spelled alike.
        QueryError: The question does not make sense over this schema; the message says why and what would.
    """
    from sqlglot import exp

    table = schema.table(question.table)
    build = _Build(table, Places(table, walk(table, schema)))
    value, value_name = _value(build, question, schema)
    groups = [_group(build, name) for name in (question.group_by, question.split_by) if name]
    select = exp.select(*(exp.alias_(each, name, quoted=True) for each, name in groups))
    select = select.select(exp.alias_(value, value_name, quoted=True))
    for condition in _conditions(build, question):
        select = select.where(condition)
    for each, _ in groups:
        select = select.group_by(each.copy())
    select = _ordered(select, question, groups, value)
    select = build.places.join(select)
    return Compiled(select.sql(dialect="sqlite"), build.parameters, tuple(build.notes))


def _value(build: _Build, question: Question, schema: Schema) -> tuple[exp.Expression, str]:
    from sqlglot import exp

    aggregate = question.chosen_aggregate
    if question.measure.lower() in (ROWS, "*", build.table.name.lower()):
        if aggregate == "count":
            return exp.Count(this=exp.Star()), "count"
        column = _only_measure(build, aggregate)
    else:
        column = _own_measure(build.table, question.measure, schema)
    if aggregate in ("sum", "avg") and not column.is_measure:
        raise QueryError(f"{aggregate} needs a number, and {build.table.name}.{column.name} is {column.kind}")
    functions: dict[str, Callable[..., exp.Expression]] = {
        "count": exp.Count, "sum": exp.Sum, "avg": exp.Avg, "min": exp.Min, "max": exp.Max,
    }  # fmt: skip
    return functions[aggregate](this=build.places.own(column)), f"{aggregate}_{column.name}"


def _only_measure(build: _Build, aggregate: str) -> Column:
    """The table's one measure, for a question that names none."""
    held = [column for column in build.table.columns if column.is_measure]
    if len(held) != 1:
        listed = ", ".join(column.name for column in held) or "none"
        raise QueryError(f"{aggregate} needs a measure; {build.table.name} has: {listed}")
    build.notes.append(f"the measure is {held[0].name}, the only one of {build.table.name}")
    return held[0]


def _own_measure(table: Table, name: str, schema: Schema) -> Column:
    """The measure is the table's own: one of another table would be counted once for each row here."""
    bare = name.rsplit(".", 1)[-1]
    try:
        if "." in name and name.split(".", 1)[0].lower() != table.name.lower():
            raise UnknownName("column", name, [column.name for column in table.columns], where=f" in {table.name}")
        return table.column(bare)
    except UnknownName as unknown:
        others = [each.name for each in schema.tables if bare.lower() in each.by_name]
        if not others:
            raise
        raise QueryError(f"{unknown}. A column {bare} is in: {', '.join(others)}; ask with table={others[0]}") from None


def _group(build: _Build, name: str) -> tuple[exp.Expression, str]:
    from sqlglot import exp

    if (place := build.places.find(name)) is not None:
        build.mention(place)
        return build.places.column(place), place.column.name
    bare, _, bucket = name.lower().rpartition("_")
    if name.lower() in BUCKETS:
        bare, bucket, place = name, name.lower(), _first_date(build, f"grouping by {name}")
    else:
        place = build.places.find(bare) if bucket in BUCKETS else None
    if place is None or place.column.kind != "date":
        raise build.places.unknown(name)
    part = exp.Anonymous(
        this="substr",
        expressions=[build.places.column(place), exp.Literal.number(1), exp.Literal.number(BUCKETS[bucket])],
    )
    return part, name.lower()


def _first_date(build: _Build, what: str) -> Place:
    if not build.table.dates:
        raise QueryError(f"{build.table.name} has no date column, which {what} needs")
    column = build.table.dates[0]
    if len(build.table.dates) > 1:
        build.notes.append(f"{what} uses {build.table.name}.{column.name}")
    return Place(build.table, column, ())


def _conditions(build: _Build, question: Question) -> list[exp.Expression]:
    from sqlglot import exp

    found = [_condition(build, each) for each in question.filters]
    if question.since or question.until:
        named = question.date_column
        place = build.places.get(named) if named else _first_date(build, "since and until")
        if place.column.kind != "date":
            raise QueryError(f"date_column {named!r} is no date; {build.places.hint('date')}")
        column = build.places.column(place)
        if question.since:
            start = build.bind(first_day(question.since, "since").isoformat())
            found.append(exp.GTE(this=column, expression=start))
        if question.until:
            end = build.bind(day_after(question.until, "until").isoformat())
            found.append(exp.LT(this=column.copy(), expression=end))
    return found


def _condition(build: _Build, wanted: Filter) -> exp.Expression:
    from sqlglot import exp

    place = build.places.get(wanted.column)
    build.mention(place)
    column = build.places.column(place)
    value = wanted.value
    if wanted.op in ("is empty", "is not empty") or (value is None and wanted.op in ("=", "!=")):
        empty = exp.or_(
            exp.Is(this=column, expression=exp.null()), exp.EQ(this=column.copy(), expression=exp.Literal.string(""))
        )
        return exp.paren(empty) if wanted.op in ("is empty", "=") else exp.not_(exp.paren(empty))
    if value is None:
        raise QueryError(f"the filter on {wanted.column!r} with {wanted.op!r} needs a value")
    if isinstance(value, list) or wanted.op in ("in", "not in"):
        values = value if isinstance(value, list) else [value]
        inside = exp.In(this=column, expressions=[build.bind(each) for each in values])
        return exp.not_(inside) if wanted.op in ("not in", "!=") else inside
    if wanted.op in ("contains", "starts with"):
        found = exp.Anonymous(
            this="instr", expressions=[exp.Lower(this=column), exp.Lower(this=build.bind(str(value)))]
        )
        one = exp.Literal.number(1)
        return exp.EQ(this=found, expression=one) if wanted.op == "starts with" else exp.GTE(this=found, expression=one)
    kinds: dict[str, Callable[..., exp.Expression]] = {
        "=": exp.EQ, "!=": exp.NEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE,
    }  # fmt: skip
    return kinds[wanted.op](this=column, expression=build.bind(value))


def _ordered(
    select: exp.Select, question: Question, groups: list[tuple[exp.Expression, str]], value: exp.Expression
) -> exp.Select:
    from sqlglot import exp

    if not groups:
        return select
    by_period = groups[0][1].rpartition("_")[2] in BUCKETS
    order = question.order or ("by group" if by_period else "largest first")
    if order != "by group":
        select = select.order_by(exp.Ordered(this=value.copy(), desc=order == "largest first"))
    for each, _ in groups:
        select = select.order_by(exp.Ordered(this=each.copy(), desc=False))
    return select
