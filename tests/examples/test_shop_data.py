"""The example shop: its data is the same every time, is as its pages say, and its pages lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

SHOP = Path(__file__).parents[2] / "examples" / "shop"
PAGES = sorted((SHOP / "handbook").glob("*.md"))
LINK = re.compile(r"\]\(([^)#]+)")
SIZES = {
    "customers": (3_900, 4_100),
    "products": (290, 310),
    "orders": (14_500, 15_500),
    "order_lines": (33_000, 37_000),
    "payments": (15_000, 16_500),
    "refunds": (1_100, 1_300),
    "support_cases": (2_400, 2_600),
    "crm.contacts": (300, 500),
    "crm.activities": (600, 1_400),
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("shop_build", SHOP / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("shop data")
    script.build(path / "shop.db")
    return path


@pytest.fixture(scope="module")
def shop(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(folder / "shop.db")) as connection:
        connection.execute("ATTACH ? AS crm", (str(folder / "crm.db"),))
        yield connection


def dump(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump())


def table_rows(text: str) -> list[list[str]]:
    """Read the rows of a Markdown table, its head and rule left out."""
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def section(page: str, title: str) -> str:
    return (SHOP / page).read_text("utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]


def questions() -> list[str]:
    return (SHOP / "questions.md").read_text("utf-8").split("\n## ")[1:]


def test_the_command_line_builds_the_same_rows_as_the_function(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(SHOP / "build.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "stand ready" in done.stdout
    for name in ("shop.db", "crm.db"):
        assert dump(tmp_path / name) == dump(folder / name)


def test_a_second_build_leaves_the_files_alone_and_a_fresh_one_takes_changes_back(
    script: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "shop.db"
    script.build(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE orders SET status = 'lost' WHERE order_id = 1042")
    changed = dump(path)
    script.build(path)
    assert dump(path) == changed
    script.build(path, fresh=True)
    assert dump(path) != changed
    assert sorted(file.name for file in tmp_path.iterdir()) == ["crm.db", "shop.db"]


def test_a_file_that_is_no_database_is_replaced(script: ModuleType, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    path.write_text("half a download, and long enough to be read as a header of a database that it is not" * 9)
    script.build(path)
    assert dump(path) == dump(folder / "shop.db")


@pytest.mark.parametrize("table", SIZES)
def test_a_table_is_as_large_as_it_should_be_and_as_the_readme_says(shop: sqlite3.Connection, table: str) -> None:
    low, high = SIZES[table]
    (count,) = shop.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert low <= count <= high
    assert dict(table_rows(section("README.md", "What the database holds")))[f"`{table}`"] == str(count)


def test_no_foreign_key_hangs_in_the_air_and_no_view_loses_a_row(shop: sqlite3.Connection) -> None:
    assert shop.execute("PRAGMA foreign_key_check").fetchall() == []
    for view, table in (("customer_facts", "customers"), ("refund_facts", "refunds"), ("case_facts", "support_cases")):
        (seen,), (held,) = (shop.execute(f"SELECT count(*) FROM {name}").fetchone() for name in (view, table))
        assert seen == held, view


def test_every_order_adds_up(shop: sqlite3.Connection) -> None:
    wrong = shop.execute(
        "SELECT order_id FROM orders o WHERE total_cents <> shipping_cents - discount_cents"
        " + (SELECT sum(line_total_cents) FROM order_lines l WHERE l.order_id = o.order_id)"
    )
    assert wrong.fetchall() == []


def test_every_day_lies_in_the_shops_time(shop: sqlite3.Connection) -> None:
    for table, column in (("orders", "delivered_on"), ("refunds", "paid_on"), ("support_cases", "closed_on")):
        (last,) = shop.execute(f"SELECT max({column}) FROM {table}").fetchone()
        assert "2026-10-01" < last <= "2026-10-31"
    assert shop.execute("SELECT min(ordered_on) FROM orders").fetchone() == ("2025-01-01",)


def test_the_irregularities_are_there_as_often_as_the_readme_says(shop: sqlite3.Connection) -> None:
    rows = table_rows(section("README.md", "Irregular on purpose"))
    assert len(rows) >= 18
    for what, count, query in rows:
        (found,) = shop.execute(query.strip("`")).fetchone()
        assert found == int(count) > 0, what


def test_order_1042_is_paid_delivered_damaged_in_time_and_not_refunded(shop: sqlite3.Connection) -> None:
    one = shop.execute(
        "SELECT c.name, c.email, o.status, o.ordered_on, o.delivered_on, o.total_cents FROM orders o"
        " JOIN customers c USING (customer_id) WHERE order_id = 1042"
    )
    assert one.fetchall() == [
        ("Ann Lindqvist", "ann.lindqvist@example.org", "delivered", "2026-10-02", "2026-10-07", 9470)
    ]
    lines = shop.execute(
        "SELECT p.name, l.quantity, l.line_total_cents FROM order_lines l JOIN products p USING (product_id)"
        " WHERE order_id = 1042 ORDER BY line_id"
    )
    assert lines.fetchall() == [("Vinga storm lantern", 1, 6490), ("Vinga candle holder", 2, 2980)]
    case = shop.execute("SELECT topic, status, opened_on, message FROM support_cases WHERE order_id = 1042").fetchall()
    assert [row[:3] for row in case] == [("damaged_item", "open", "2026-10-09")]
    assert "Vinga storm lantern arrived damaged" in case[0][3]
    paid = shop.execute("SELECT status, amount_cents FROM payments WHERE order_id = 1042").fetchall()
    assert paid == [("captured", 9470)]
    assert shop.execute("SELECT count(*) FROM refunds WHERE order_id = 1042").fetchone() == (0,)
    tier = shop.execute("SELECT tier FROM crm.contacts WHERE email = 'ann.lindqvist@example.org'").fetchall()
    assert tier == [("plus",)]


@pytest.mark.parametrize("question", questions(), ids=lambda text: text.splitlines()[0])
def test_what_a_request_expects_is_what_data_and_handbook_hold(shop: sqlite3.Connection, question: str) -> None:
    words = re.findall(r"^- `(.+)` stands in `(.+)`$", question, re.M)
    queries = re.findall(r"```sql\n(.*?)```\n(.*)", question, re.S)
    assert words or queries
    for text, page in words:
        assert text in (SHOP / page).read_text("utf-8")
    for query, expected in queries:
        found = [[str(value) for value in row] for row in shop.execute(query)]
        assert found == table_rows(expected)


def test_the_shipping_page_says_what_the_table_of_countries_holds(shop: sqlite3.Connection) -> None:
    held = shop.execute("SELECT country, shipping_cents, free_shipping_from_cents, delivery_days FROM countries")
    as_written = [
        [name, f"EUR {cost / 100:.2f}", f"EUR {free / 100:.2f}", str(days)] for name, cost, free, days in held
    ]
    assert sorted(table_rows(section("handbook/shipping.md", "Costs and times"))) == sorted(as_written)


def test_the_page_on_vat_says_what_the_table_of_countries_holds(shop: sqlite3.Connection) -> None:
    rows = table_rows(section("handbook/invoices-and-vat.md", "VAT by country"))
    written = {row[at]: float(row[at + 1].removesuffix(" %")) for row in rows for at in (0, 2)}
    assert written == dict(shop.execute("SELECT country, vat_percent FROM countries"))


def test_the_warranty_page_says_what_the_products_hold(shop: sqlite3.Connection) -> None:
    held = shop.execute("SELECT DISTINCT category, CAST(warranty_months AS TEXT) FROM products")
    assert dict(table_rows(section("handbook/warranty.md", "Months by category"))) == dict(held)


def test_refunds_for_damage_follow_the_page_except_where_the_readme_says(shop: sqlite3.Connection) -> None:
    damage = "FROM refund_facts f JOIN orders o USING (order_id) WHERE f.reason = 'damaged'"
    (late,) = shop.execute(
        f"SELECT count(*) {damage} AND julianday(f.requested_on) - julianday(o.delivered_on) > 14"
    ).fetchone()
    (by_agents,) = shop.execute(f"SELECT count(*) {damage} AND f.approved_by = 'agent'").fetchone()
    assert (late, by_agents) == (0, 0)


def test_the_handbook_has_its_pages_and_each_of_them_is_a_page_long() -> None:
    assert len(PAGES) >= 32
    for page in PAGES:
        text = page.read_text("utf-8")
        assert text.startswith("# "), page.name
        assert 25 <= len(text.splitlines()) <= 60, page.name


@pytest.mark.parametrize("page", [*PAGES, SHOP / "README.md", SHOP / "questions.md"], ids=lambda page: page.stem)
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text("utf-8")) if not (page.parent / link).is_file()]
    assert missing == []


def test_every_page_of_the_handbook_is_in_its_contents() -> None:
    listed = set(LINK.findall((SHOP / "handbook" / "index.md").read_text("utf-8")))
    assert listed == {page.name for page in PAGES} - {"index.md"}
