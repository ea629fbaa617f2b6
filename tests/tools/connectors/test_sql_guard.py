"""Free SQL: each statement is judged as it should be, by the parser's guard and by SQLite's own authorizer alone."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest

from segue.tools.connectors.sql import Database, NotAllowed, QueryError, QueryTimeout, UnknownName
from segue.tools.connectors.sql.connection import ReadOnlyFile
from segue.tools.sandbox.tables import MemoryTableStore

GOOD = [
    "SELECT * FROM refunds",
    "select reason, count(*) AS n from refunds group by reason having n > 1 order by n desc limit 5;",
    "WITH big AS (SELECT * FROM refunds WHERE amount_cents > 500) SELECT count(*) FROM big",
    "SELECT o.order_id FROM orders o JOIN customers c USING (customer_id) WHERE c.city LIKE 'M%'",
    "SELECT strftime('%Y-%m', requested_on) AS month, total(amount_cents) FROM refunds GROUP BY 1",
    "SELECT order_id FROM orders UNION SELECT order_id FROM refunds EXCEPT SELECT 3",
    "SELECT row_number() OVER (PARTITION BY reason ORDER BY amount_cents), lag(amount_cents) OVER () FROM refunds",
    "SELECT CASE WHEN amount_cents > 500 THEN 'big' ELSE 'small' END, coalesce(reason, 'none') FROM refunds",
    "-- a comment\nSELECT 'DROP TABLE refunds; --' AS text, julianday('2026-01-02') - julianday('2026-01-01')",
    "SELECT (SELECT max(total_cents) FROM orders) - 1 FROM orders WHERE order_id IN (SELECT order_id FROM refunds)",
    "SELECT city, sum(amount_cents) FROM refund_facts GROUP BY city",
    "SELECT * FROM (SELECT refund_id FROM refunds) AS inside, countries",
]
BAD = [
    "INSERT INTO refunds (refund_id) VALUES (9)",
    "UPDATE refunds SET amount_cents = 0",
    "DELETE FROM refunds RETURNING *",
    "DROP TABLE refunds",
    "CREATE TABLE x AS SELECT * FROM refunds",
    "ALTER TABLE refunds RENAME TO y",
    "SELECT 1; DROP TABLE refunds",
    "SELECT 1;;SELECT 2",
    "PRAGMA table_info(refunds)",
    "PRAGMA writable_schema=ON",
    "ATTACH DATABASE '/tmp/x.db' AS x",
    "VACUUM INTO '/tmp/stolen.db'",
    "SELECT load_extension('/tmp/evil.so')",
    "SELECT \"load_extension\"('/tmp/evil.so')",
    "SELECT readfile('/etc/passwd')",
    "SELECT * FROM pragma_table_info('refunds')",
    "SELECT * FROM json_each('[1,2]')",
    "SELECT name FROM sqlite_master",
    "SELECT sql FROM main.sqlite_schema",
    "SELECT * FROM secrets",
    "SELECT * FROM refunds WHERE 1 = (SELECT count(*) FROM secrets)",
    "SELECT (SELECT token FROM secrets) FROM refund_facts",
    "WITH refund_facts AS (SELECT token AS city FROM secrets) SELECT city FROM refund_facts",
    "WITH secrets AS (SELECT 1) SELECT * FROM (SELECT token FROM main.secrets)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "SELECT email FROM customers",
    "SELECT c.EMAIL FROM customers AS c",
    "SELECT * FROM customers",
    "SELECT name FROM customers ORDER BY email",
    "SELECT name FROM customers WHERE email LIKE 'a%'",
    "SELECT address FROM mail_facts",
    "SELECT zeroblob(1000000000)",
    "SELECT printf('%1000000000d', 1)",
    "REPLACE INTO refunds (refund_id) VALUES (1)",
    "EXPLAIN SELECT * FROM refunds",
    "BEGIN",
    "SELECT FROM WHERE",
    "",
]


def digest(shop: Path) -> list[tuple[str, str]]:
    return [(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in sorted(shop.parent.iterdir())]


def database(shop: Path, **options: object) -> Database:
    tables = ["countries", "customers", "orders", "refunds", "refund_facts", "mail_facts", "people"]
    held: dict[str, object] = {"tables": tables, "hidden_columns": ["email"], "store": MemoryTableStore(), **options}
    return Database(shop, **held)  # type: ignore[arg-type]


@pytest.mark.parametrize("statement", GOOD)
async def test_a_select_over_what_may_be_read_runs(shop: Path, statement: str) -> None:
    result = await database(shop).execute(statement)

    assert result.row_count > 0


@pytest.mark.parametrize("statement", BAD)
async def test_anything_else_is_refused_and_changes_nothing(shop: Path, statement: str) -> None:
    before = digest(shop)

    with pytest.raises(QueryError):
        await database(shop).execute(statement)

    assert digest(shop) == before


SYNTAX_ONLY = {"SELECT 1;;SELECT 2", "SELECT FROM WHERE", "", "EXPLAIN SELECT * FROM refunds"}


@pytest.mark.parametrize("statement", [each for each in BAD if each not in SYNTAX_ONLY])
async def test_sqlite_alone_refuses_what_the_parser_refuses(shop: Path, statement: str) -> None:
    permitted, _ = database(shop)._permit()

    with pytest.raises(QueryError):
        await ReadOnlyFile(shop).fetch(statement, judge=permitted.judge, max_rows=10, timeout_s=2)


async def test_the_refusal_says_what_is_wrong(shop: Path) -> None:
    held = database(shop)

    with pytest.raises(NotAllowed, match="begins with 'DROP'"):
        await held.execute("DROP TABLE refunds")
    with pytest.raises(UnknownName, match=r"no table named 'refund'; did you mean refunds"):
        await held.execute("SELECT * FROM refund")
    with pytest.raises(NotAllowed, match=r"customers\.email may not be read"):
        await held.execute("SELECT email FROM customers")
    with pytest.raises(QueryError, match="no such column: reson"):
        await held.execute("SELECT reson FROM refunds")
    with pytest.raises(QueryError, match="line 1"):
        await held.execute("SELECT (SELECT 1")


async def test_a_statement_that_runs_too_long_is_stopped(shop: Path) -> None:
    endless = "SELECT count(*) FROM " + ", ".join(f"refunds r{number}" for number in range(25))

    with pytest.raises(QueryTimeout, match=r"0\.05 s"):
        await database(shop, timeout_s=0.05).execute(endless)


async def test_a_statement_nested_without_end_is_refused(shop: Path) -> None:
    with pytest.raises(QueryError):
        await database(shop).execute("SELECT " + "(" * 3000 + "1" + ")" * 3000)


async def test_a_view_whose_rows_depend_on_a_hidden_column_is_left_out_and_said_to_be(shop: Path) -> None:
    overview = await database(shop).overview()

    assert "mail_facts" not in {table.name for table in overview.tables}
    assert overview.notes == ["the view mail_facts is left out: its rows depend on the hidden column customers.email"]
    assert "email" not in {column.name for table in overview.tables for column in table.columns}


async def test_a_hidden_column_that_a_view_only_shows_reads_as_null_through_it(shop: Path) -> None:
    rows = (await database(shop).execute("SELECT person, lower_address FROM people ORDER BY person")).rows

    assert rows == [{"person": name, "lower_address": None} for name in ("Ann", "Bo", "Cy")]


async def test_a_view_is_counted_although_a_table_that_it_joins_is_not_needed_for_that(shop: Path) -> None:
    with sqlite3.connect(shop) as db:
        db.executescript(
            "CREATE TABLE cities (city TEXT PRIMARY KEY, land TEXT);"
            "CREATE TABLE lands (land INTEGER PRIMARY KEY, name);"
            "CREATE VIEW places AS SELECT o.order_id, c.city, coalesce(l.name, '') AS land FROM orders o"
            " JOIN customers c USING (customer_id) LEFT JOIN cities t ON t.city = c.city"
            " LEFT JOIN lands l ON l.land = t.land"
        )
    places = database(shop, tables=["places"], hidden_columns=[])

    counted = await places.execute("SELECT city, count(*) AS orders FROM places GROUP BY city ORDER BY city")

    assert [row["orders"] for row in counted.rows] == [1, 1, 1]
    with pytest.raises(UnknownName, match="cities"):
        await places.execute("SELECT count(*) FROM cities")
