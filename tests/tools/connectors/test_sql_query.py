"""The structured query: figures that SQL written by hand confirms, joins that count nothing twice, errors that help."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from segue.base.errors import UserError
from segue.tools.connectors.sql import Database, QueryError
from segue.tools.sandbox.tables import MemoryTableStore, NoSuchTable

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
def store() -> MemoryTableStore:
    return MemoryTableStore()


@pytest.fixture
def database(shop: Path, store: MemoryTableStore) -> Database:
    return Database(shop, store=store)


def by_hand(shop: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(shop)) as db:
        return db.execute(sql).fetchall()


SAME = [
    ({"table": "refunds"}, "SELECT count(*) FROM refunds"),
    (
        {
            "table": "refunds",
            "aggregate": "sum",
            "measure": "amount_cents",
            "group_by": "reason",
            "since": "2026-01-01",
        },
        "SELECT reason, sum(amount_cents) FROM refunds WHERE requested_on >= '2026-01-01' GROUP BY 1 ORDER BY 2 DESC",
    ),
    (
        {"table": "refunds", "group_by": "requested_on_month", "until": "2026-01-31"},
        "SELECT substr(requested_on, 1, 7), count(*) FROM refunds WHERE requested_on < '2026-02-01' GROUP BY 1",
    ),
    (
        {"table": "refunds", "group_by": "year"},
        "SELECT substr(requested_on, 1, 4), count(*) FROM refunds GROUP BY 1 ORDER BY 1",
    ),
    (
        {"table": "refunds", "measure": "amount_cents", "group_by": "ordered_on_month", "aggregate": "max"},
        "SELECT substr(ordered_on, 1, 7), max(amount_cents) FROM refunds JOIN orders USING (order_id) GROUP BY 1",
    ),
    (
        {"table": "orders", "aggregate": "avg", "measure": "total_cents", "date_column": "shipped_on", "since": "2026"},
        "SELECT avg(total_cents) FROM orders WHERE shipped_on >= '2026-01-01'",
    ),
    (
        {"table": "refunds", "filters": [{"column": "reason", "op": "is empty"}]},
        "SELECT count(*) FROM refunds WHERE reason IS NULL OR reason = ''",
    ),
    (
        {"table": "refunds", "filters": [{"column": "reason", "op": "in", "value": ["late", "damaged"]}]},
        "SELECT count(*) FROM refunds WHERE reason IN ('late', 'damaged')",
    ),
    (
        {"table": "refunds", "filters": [{"column": "amount_cents", "op": ">=", "value": 700}], "group_by": "order"},
        'SELECT "order", count(*) FROM refunds WHERE amount_cents >= 700 GROUP BY 1 ORDER BY 2 DESC, 1 NULLS LAST',
    ),
    (
        {"table": "refund_facts", "measure": "amount_cents", "group_by": "city", "order": "by group"},
        "SELECT city, sum(amount_cents) FROM refund_facts GROUP BY 1 ORDER BY 1",
    ),
]


@pytest.mark.parametrize(("question", "sql"), SAME)
async def test_the_figures_are_those_of_sql_written_by_hand(
    database: Database, shop: Path, question: dict[str, Any], sql: str
) -> None:
    result = await database.ask(question)

    assert [tuple(row.values()) for row in result.rows] == by_hand(shop, sql)
    assert result.columns == list(result.rows[0])


async def test_two_ways_to_one_table_are_told_apart_or_refused(database: Database) -> None:
    with pytest.raises(QueryError, match="'city' is ambiguous"):
        await database.ask({"table": "orders", "group_by": "city"})


async def test_a_join_goes_from_many_to_one_and_keeps_rows_without_a_partner(database: Database) -> None:
    result = await database.ask({"table": "customers", "group_by": "country"})

    assert {row["country"]: row["count"] for row in result.rows} == {"Sweden": 2, "Germany": 1}
    assert "country is that of countries" in result.notes


async def test_the_only_measure_of_a_table_is_taken_and_said_to_be(database: Database) -> None:
    result = await database.ask({"table": "refunds", "aggregate": "sum"})

    assert result.rows == [{"sum_amount_cents": 1950}]
    assert result.notes == ["the measure is amount_cents, the only one of refunds"]


async def test_a_measure_of_another_table_is_refused_with_the_table_to_ask(database: Database) -> None:
    with pytest.raises(QueryError, match="ask with table=orders"):
        await database.ask({"table": "refunds", "measure": "total_cents"})


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"table": "refund"}, "no table named 'refund'; did you mean refunds"),
        ({"table": "refunds", "group_by": "reson"}, "did you mean reason"),
        ({"table": "customers", "aggregate": "sum"}, "sum needs a measure; customers has: none"),
        ({"table": "refunds", "aggregate": "avg", "measure": "reason"}, "is text"),
        ({"table": "refunds", "since": "last week"}, "write 2026-01-31"),
        ({"table": "refunds", "since": "2026-02-30"}, "is no date"),
        ({"table": "countries", "group_by": "month"}, "countries has no date column"),
        (
            {"table": "refunds", "date_column": "reason", "since": "2026"},
            "is no date; date columns: refunds.requested_on",
        ),
        ({"table": "refunds", "aggregate": "median"}, "'count', 'sum', 'avg', 'min' or 'max'"),
        ({"table": "refunds", "filters": [{"column": "reason", "op": "like", "value": "x"}]}, "filters.0.op"),
        ({"table": "refunds", "filters": [{"column": "reason", "op": ">"}]}, "needs a value"),
        ({"table": "refunds", "colour": "red"}, "colour"),
        ({"table": "refunds", "limit": 0}, "limit"),
        ({}, "table: Field required"),
    ],
)
async def test_a_wrong_question_is_answered_with_what_would_be_right(
    database: Database, question: dict[str, Any], said: str
) -> None:
    with pytest.raises(QueryError) as caught:
        await database.ask(question)

    assert said in str(caught.value)


async def test_values_are_bound_and_never_become_sql(database: Database) -> None:
    attack = "x' OR '1'='1"

    result = await database.ask({"table": "refunds", "filters": [{"column": "reason", "op": "=", "value": attack}]})

    assert result.rows == [{"count": 0}]
    assert attack not in result.sql
    assert result.parameters == {"p1": attack}


async def test_more_rows_than_the_limit_are_said_to_be_there(shop: Path, store: MemoryTableStore) -> None:
    small = Database(shop, store=store, max_rows=3, shown_rows=2)

    result = await small.execute("SELECT * FROM refunds ORDER BY refund_id")

    assert (len(result.rows), result.row_count, result.truncated) == (2, 3, True)
    assert len(await store.get("local", result.table_id)) == 3


async def test_groups_that_differ_by_case_or_spaces_are_pointed_out(database: Database) -> None:
    result = await database.ask({"table": "customers", "group_by": "city"})

    assert "1 values of city are written in more than one way, such as 'Malmö', 'malmö '" in result.notes


async def test_a_result_is_kept_for_its_tenant_only(database: Database, store: MemoryTableStore, call: Call) -> None:
    result = await call(database.query, table="refunds", group_by="reason")

    assert await store.get("acme", result["table_id"]) == result["rows"]
    with pytest.raises(NoSuchTable):
        await store.get("other", result["table_id"])


async def test_the_tools_answer_a_model(database: Database, call: Call) -> None:
    figures = await call(database.query, table="refunds", aggregate="sum", measure="amount_cents", group_by="reason")
    free = await call(database.sql, statement="SELECT count(*) AS n FROM orders")
    held = await call(database.describe, table="refunds")
    wrong = await call(database.query, table="refnds")

    assert figures["rows"][0] == {"reason": "damaged", "sum_amount_cents": 1250}
    assert free["rows"] == [{"n": 3}]
    assert held["tables"][0]["row_count"] == 4
    assert wrong.startswith("error: query_shop failed: UnknownName: no table named 'refnds'; did you mean refunds")


async def test_an_overview_shows_keys_references_and_the_values_of_small_columns(database: Database) -> None:
    orders = (await database.overview("orders")).tables[0]
    refunds = (await database.overview("refunds")).tables[0]

    columns = {column.name: column for column in refunds.columns}
    assert columns["reason"].values == ["damaged", "late"]
    assert columns["amount_cents"].kind == "money"
    assert {column.name: column.references for column in orders.columns}["customer_id"] == "customers.customer_id"


def test_the_schema_of_the_query_tool_names_the_databases_own_tables_and_columns(database: Database) -> None:
    properties = database.query.parameters["properties"]

    assert database.query.name == "query_shop"
    assert database.query.parameters["required"] == ["table"]
    assert "refunds" in properties["table"]["enum"]
    assert properties["measure"]["enum"][0] == "rows"
    assert {"amount_cents", "total_cents"} <= set(properties["measure"]["enum"])
    assert {"reason", "requested_on_month", "month"} <= set(properties["group_by"]["enum"])
    assert "amount_cents" not in properties["group_by"]["enum"]
    assert [held.effect for held in database.tools()] == ["read", "read", "read"]


def test_no_value_of_a_row_stands_in_a_tools_description(database: Database) -> None:
    assert "damaged" not in str([held.schema() for held in database.tools()])


def test_a_changed_schema_is_noticed(database: Database, shop: Path) -> None:
    before = database.query.parameters["properties"]["table"]["enum"]
    with closing(sqlite3.connect(shop)) as db:
        db.execute("CREATE TABLE parcels (parcel_id INTEGER PRIMARY KEY)")

    after = database.query.parameters["properties"]["table"]["enum"]

    assert set(after) - set(before) == {"parcels"}


async def test_many_queries_at_once_each_get_their_own_answer(database: Database) -> None:
    asked = [{"table": table} for table in ("refunds", "orders", "customers") * 10]

    answers = await asyncio.gather(*(database.ask(question) for question in asked))

    assert [answer.rows[0]["count"] for answer in answers] == [4, 3, 3] * 10


async def test_a_cancelled_query_stops_working(shop: Path) -> None:
    endless = "SELECT count(*) FROM " + ", ".join(f"refunds r{number}" for number in range(25))
    running = asyncio.create_task(Database(shop, timeout_s=60, store=MemoryTableStore()).execute(endless))
    await asyncio.wait({running}, timeout=0.05)

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.wait_for(asyncio.get_running_loop().shutdown_default_executor(), 5)


@pytest.mark.parametrize(
    ("source", "said"), [("postgresql://u:p@h/db", "only SQLite"), ("sqlite:///nowhere/x.db", "no SQLite database at")]
)
async def test_a_source_that_cannot_be_opened_is_named(source: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Database(source).schema()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("not a database at all" * 50, encoding="utf-8")

    with pytest.raises(UserError, match=r"notes\.db' is not a SQLite database"):
        Database(tmp_path / "notes.db").schema()


@pytest.mark.parametrize("option", [{"tables": ["nope"]}, {"hidden_columns": ["nope"]}])
def test_a_table_or_column_that_is_not_there_cannot_be_configured(shop: Path, option: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="nope"):
        Database(shop, **option).schema()


def test_a_path_with_odd_characters_is_opened(shop: Path) -> None:
    odd = shop.rename(shop.parent / "a b?c#d%20.db")

    assert Database(odd).schema().table("refunds").name == "refunds"
