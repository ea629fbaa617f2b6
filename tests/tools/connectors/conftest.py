"""A run to call tools in, and a small shop to ask about."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from segue.base.messages import tool_call
from segue.base.principal import Principal
from segue.context.run import RunContext, Services
from segue.tools import Tool, ToolResult, execute_tool_calls
from segue.tracing.artefacts import ArtefactStore
from segue.tracing.tracer import Tracer

Call = Callable[..., Awaitable[Any]]

SHOP = """
CREATE TABLE countries (code TEXT PRIMARY KEY, country TEXT NOT NULL, vat REAL NOT NULL);
CREATE TABLE customers (
    customer_id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT, code TEXT REFERENCES countries, city TEXT,
    created_on TEXT NOT NULL);
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    seller_id INTEGER REFERENCES customers (customer_id), total_cents INTEGER NOT NULL, ordered_on TEXT NOT NULL,
    shipped_on TEXT);
CREATE TABLE refunds (
    refund_id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders, reason TEXT, amount_cents INTEGER,
    "order" TEXT, requested_on TEXT NOT NULL);
CREATE TABLE secrets (secret_id INTEGER PRIMARY KEY, token TEXT);
CREATE VIEW refund_facts AS SELECT r.refund_id, r.reason, r.amount_cents, c.city, r.requested_on
    FROM refunds r JOIN orders o USING (order_id) JOIN customers c ON c.customer_id = o.customer_id;
CREATE VIEW mail_facts AS SELECT email AS address, city FROM customers WHERE email IS NOT NULL;
CREATE VIEW people AS SELECT name AS person, lower(email) AS lower_address FROM customers;
INSERT INTO countries VALUES ('SE', 'Sweden', 25.0), ('DE', 'Germany', 19.0);
INSERT INTO customers VALUES
    (1, 'Ann', 'ann@example.org', 'SE', 'Malmö', '2025-01-01'), (2, 'Bo', 'bo@example.org', 'DE', 'Bonn', '2025-02-01'),
    (3, 'Cy', NULL, 'SE', 'malmö ', '2025-03-01');
INSERT INTO orders VALUES
    (10, 1, 2, 5000, '2025-12-30', '2026-01-02'), (11, 2, NULL, 7000, '2026-01-15', NULL),
    (12, 3, NULL, 900, '2026-02-01', NULL);
INSERT INTO refunds VALUES
    (1, 10, 'damaged', 1000, 'x', '2026-01-05'), (2, 10, 'damaged', 250, 'y', '2026-01-31'),
    (3, 11, 'late', 700, NULL, '2026-02-01'), (4, 12, NULL, NULL, '', '2025-12-31');
INSERT INTO secrets VALUES (1, 'hunter2');
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as db:
        db.executescript(SHOP)
    return tmp_path / "shop.db"


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[RunContext[Any]]:
    tracer, artefacts = Tracer(), ArtefactStore(tmp_path / "artefacts.db")
    services = Services(router=cast(Any, None), tracer=tracer, artefacts=artefacts)
    yield RunContext(
        run_id="run_1", thread_id="t", trace_id="tr", services=services, principal=Principal("acme", "ann", {"*"})
    )
    tracer.close()
    artefacts.close()


@pytest.fixture
def call(ctx: RunContext[Any]) -> Call:
    """Call a tool as a model does; its JSON result, or the text where it is text or says that it failed."""

    async def call(held: Tool, **arguments: Any) -> Any:
        result: ToolResult = (await execute_tool_calls([tool_call(held.name, arguments)], [held], ctx))[0]
        is_json = result.content.startswith(("{", "[{")) and not result.failed
        return json.loads(result.content) if is_json else result.content

    return call
