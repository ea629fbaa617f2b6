"""Surface: a database's tools as a model reads them.

The schema of the structured query names tables, measures and groups in enums, one flat list of arguments: a model that
only matches words can fill it, and one that writes cannot misspell a name. Names are the schema's; no row is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from segue.context.run import RunContext
from segue.tools.connectors.sql.compile import BUCKETS
from segue.tools.connectors.sql.question import AGGREGATES, MAX_LIMIT, OPERATORS, ORDERS, ROWS
from segue.tools.connectors.sql.result import QueryResult, SchemaInfo
from segue.tools.connectors.sql.schema import Column, Schema, Table
from segue.tools.tool import Tool

if TYPE_CHECKING:
    from segue.tools.connectors.sql.database import Database

_DEADLINE_MARGIN_S = 5.0
_DAY = {"type": "string", "format": "date"}


def describe_tool(database: Database) -> Tool:
    """What is there."""

    async def describe(table: str | None = None) -> SchemaInfo:
        return await database.overview(table)

    parameters = _object(
        {"table": {"type": "string", "description": "Only this table or view; left out, all of them."}}
    )
    text = f"Describe the schema of the {database.name} database: its tables, views, columns and row counts."
    return _tool(database, "describe", text, parameters, describe)


def query_tool(database: Database, schema: Schema) -> Tool:
    """Figures by group, in the schema's own names."""

    async def query(ctx: RunContext[Any], **arguments: Any) -> QueryResult:
        return await database.ask(arguments, tenant=ctx.principal.tenant)

    text = (
        f"Query figures from the {database.name} database: count rows, or sum, average, smallest or largest of a "
        "measure, of one table, by group and period. Use it for how many, how much, totals and breakdowns."
    )
    return _tool(database, "query", text, _question_parameters(schema), query, takes_ctx=True)


def sql_tool(database: Database) -> Tool:
    """Free SQL."""

    async def sql(ctx: RunContext[Any], statement: str) -> QueryResult:
        return await database.execute(statement, tenant=ctx.principal.tenant)

    statement = {"type": "string", "description": "One SQL SELECT statement in the dialect of SQLite."}
    text = f"Run one read-only SQL SELECT statement, written by you, on the {database.name} database."
    return _tool(database, "sql", text, _object({"statement": statement}, "statement"), sql, takes_ctx=True)


def _tool(
    database: Database, verb: str, text: str, parameters: dict[str, Any], fn: Any, *, takes_ctx: bool = False
) -> Tool:
    about = f" {database.description.strip()}" if database.description else ""
    return Tool(
        name=f"{verb}_{database.name}"[:64],
        description=text + about,
        parameters=parameters,
        fn=fn,
        takes_ctx=takes_ctx,
        effect="read",
        reach="own",
        timeout_s=database.timeout_s + _DEADLINE_MARGIN_S if verb != "describe" else 30.0,
    )


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    possible = {name: each for name, each in properties.items() if each.get("enum") != []}
    return {
        "type": "object",
        "properties": possible,
        "required": list(required),
        "additionalProperties": False,
    }


def _question_parameters(schema: Schema) -> dict[str, Any]:
    reachable = _names(column.name for table in schema.tables for column in table.columns)
    dates = _names(column.name for table in schema.tables for column in table.dates)
    return _object(
        {
            "table": _choice([table.name for table in schema.tables], "The table or view whose rows are counted."),
            "aggregate": _choice(
                AGGREGATES,
                "count is how many or the number of; sum is the total; avg is the average or mean; min is the smallest "
                "or lowest; max is the largest or highest. Left out: count, or sum where a measure is given.",
            ),
            "measure": _choice(
                [ROWS, *_measures(schema)],
                "The column that is summed or averaged. Columns ending in _cents are money in whole cents. "
                "Left out: rows are counted.",
            ),
            "group_by": _choice(_groups(schema), "One figure for each value of this column: by reason, per month."),
            "split_by": _choice(_groups(schema), "A second column to split each group by; only beside group_by."),
            "since": {**_DAY, "description": "Only rows from this day on, as in since or from 2026-01-01."},
            "until": {**_DAY, "description": "Only rows up to this day, included, as in until or to 2026-01-31."},
            "date_column": _choice(dates, "The date that since and until are about; left out, the table's first one."),
            "filters": _filters(reachable),
            "order": _choice(ORDERS, "Left out: largest first; by group where the group is a month or year."),
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_LIMIT,
                "description": "At most this many groups, as in top 5; 100 where it is left out.",
            },
        },
        "table",
    )


def _filters(columns: list[str]) -> dict[str, Any]:
    value = {
        "anyOf": [
            {"type": ["string", "number", "boolean", "null"]},
            {"type": "array", "items": {"type": ["string", "number", "boolean"]}},
        ],
        "description": "What it is compared to; a list for in and not in.",
    }
    one = _object(
        {"column": _choice(columns, "The column."), "op": _choice(OPERATORS, "How it compares."), "value": value},
        "column",
        "op",
    )
    return {"type": "array", "items": one, "description": "Keep only rows where each of these holds."}


def _choice(names: Iterable[str], description: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(names), "description": description}


def _names(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _measures(schema: Schema) -> list[str]:
    return _names(_named(schema, table, column) for table, column in _all(schema) if column.is_measure)


def _groups(schema: Schema) -> list[str]:
    """Columns to group by, each once; dates by month and year; then the plain periods of a table's first date."""
    plain = [_named(schema, table, each) for table, each in _all(schema) if each.is_group and each.kind != "date"]
    dates = [each.name for _, each in _all(schema) if each.kind == "date"]
    periods = [f"{name}_{bucket}" for name in dates for bucket in ("month", "year")]
    return _names([*plain, *periods, *(BUCKETS if dates else ())])


def _all(schema: Schema) -> list[tuple[Table, Column]]:
    return [(table, column) for table in schema.tables for column in table.columns]


def _named(schema: Schema, table: Table, column: Column) -> str:
    """The column's name; after its table's where a table is called much the same, so that a word means one thing."""
    taken = {name.split("_")[0].rstrip("s") for name in schema.by_name}
    return f"{table.name}.{column.name}" if column.name.lower().rstrip("s") in taken else column.name
