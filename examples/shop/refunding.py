"""The desk's own tools: what an order looks like, what the handbook's rule for damage says of it, and the refund.

Each works on the shop's database; the two that read never write. The limits of the rule are read from the handbook
page itself, so that the page stays the one place where they stand.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from segue import RunContext, Tool, tool

HERE = Path(__file__).resolve().parent
RULE = HERE / "handbook" / "damaged-on-arrival.md"
KEYS = "CREATE TABLE IF NOT EXISTS refund_keys (key TEXT PRIMARY KEY, record TEXT NOT NULL)"
"""The shop keeps the key of each refund beside it: that is what a refund is looked up by after a stop."""
ORDER = {"returns": {"order_id": "sys:order_id id:order", "email": "sys:order_id address"}, "resolver": "id:order"}
"""What the gate is told of an order: its number and its customer's address are the shop's own."""
TODAY = "2026-10-31"
"""The shop's last day: the example does not depend on the day it is run on."""


@dataclass(frozen=True)
class Limits:
    """What the handbook's page says."""

    days: int
    amount_cents: int


@contextmanager
def opened(shop: Path) -> Iterator[sqlite3.Connection]:
    """The database, committed at the end, closed in any case."""
    db = sqlite3.connect(shop, timeout=5)
    db.row_factory = sqlite3.Row
    try:
        with db:
            yield db
    finally:
        db.close()


def limits() -> Limits:
    """Read the rule's two limits from its page."""
    text = RULE.read_text(encoding="utf-8")
    days, eur = re.search(r"within (\d+) days of delivery", text), re.search(r"up to EUR (\d+\.\d\d)", text)
    assert days is not None
    assert eur is not None
    return Limits(int(days[1]), int(Decimal(eur[1]) * 100))


def cite(first: str, last: str = "") -> str:
    """The lines of the rule's page from one that says `first` to one that says `last`, as a citation."""
    lines = RULE.read_text(encoding="utf-8").splitlines()
    begins = next(number for number, line in enumerate(lines, 1) if first in line)
    ends = next((number for number, line in enumerate(lines[begins - 1 :], begins) if last in line), begins)
    return f"[handbook/{RULE.name}:{begins}-{ends}]"


def refund_tools(shop: Path) -> list[Tool]:
    """The three tools over one database."""

    @tool(effect="read", timeout_s=10, declare=ORDER)
    def look_up_order(order_id: int) -> dict[str, Any]:
        """Look up an order: its customer, lines, payments, refunds and support cases.

        Args:
            order_id: The number of the order.
        """
        with opened(shop) as db:
            order = _one(db, "SELECT * FROM orders WHERE order_id = ?", order_id, f"there is no order {order_id}")
            customer = _one(
                db, "SELECT name, email FROM customer_facts WHERE customer_id = ?", order["customer_id"], ""
            )
            return {
                **dict(order),
                **dict(customer),
                "lines": _all(
                    db,
                    "SELECT line_id, name AS product, quantity, line_total_cents FROM order_lines "
                    "JOIN products USING (product_id) WHERE order_id = ? ORDER BY line_id",
                    order_id,
                ),
                "payments": _all(db, "SELECT method, status, amount_cents FROM payments WHERE order_id = ?", order_id),
                "refunds": _all(
                    db, "SELECT refund_id, line_id, amount_cents, status FROM refunds WHERE order_id = ?", order_id
                ),
                "cases": _all(
                    db, "SELECT case_id, topic, status, opened_on FROM support_cases WHERE order_id = ?", order_id
                ),
            }

    @tool(effect="read", timeout_s=10, declare={"returns": {}})
    def check_damage_refund(order_id: int) -> dict[str, Any]:
        """Check whether the policy for items damaged on arrival allows a refund of an order, without refunding it.

        Args:
            order_id: The number of the order.
        """
        with opened(shop) as db:
            return _judge(db, order_id)

    def find_refund(ctx: RunContext[Any]) -> dict[str, Any] | None:
        """What a refund that was cut short came to: its record, or nothing where the money has not moved."""
        with opened(shop) as db:
            db.execute(KEYS)
            known = db.execute("SELECT record FROM refund_keys WHERE key = ?", (ctx.idempotency_key,)).fetchone()
        return None if known is None else json.loads(known["record"])

    @tool(
        effect="write", reach="account", approval=True, idempotency_key="order_id", reconcile=find_refund, timeout_s=10,
        declare={"sinks": {"order_id": "id:order"}, "returns": {}},
    )  # fmt: skip
    def refund_order(ctx: RunContext[Any], order_id: int) -> dict[str, Any]:
        """Refund the item of an order that arrived damaged, at the price of its line; a team lead approves it first.

        Args:
            order_id: The number of the order to refund.
        """
        with opened(shop) as db:
            found = _judge(db, order_id)
            if not found["allowed"]:
                raise ValueError(f"order {order_id} is not refunded: {found['why']} {found['citation']}")
            record = _refund(db, order_id, found)
            db.execute(KEYS)  # in the same transaction, so that either both are there or neither
            db.execute("INSERT INTO refund_keys VALUES (?, ?)", (ctx.idempotency_key, json.dumps(record)))
        return record

    return [look_up_order, check_damage_refund, refund_order]


def _refund(db: sqlite3.Connection, order_id: int, found: dict[str, Any]) -> dict[str, Any]:
    refund_id = db.execute("SELECT max(refund_id) + 1 FROM refunds").fetchone()[0]
    db.execute(
        "INSERT INTO refunds VALUES (?, ?, ?, ?, 'damaged', 'approved', ?, 'team_lead', ?, NULL)",
        (refund_id, order_id, found["customer_id"], found["line_id"], found["amount_cents"], TODAY),
    )
    return {
        "refund_id": refund_id,
        "order_id": order_id,
        "item": found["item"],
        "amount_eur": found["amount_eur"],
        "status": "approved",
    }


def _judge(db: sqlite3.Connection, order_id: int) -> dict[str, Any]:
    rule = limits()
    order = _one(db, "SELECT * FROM orders WHERE order_id = ?", order_id, f"there is no order {order_id}")
    case = db.execute(
        "SELECT * FROM support_cases WHERE order_id = ? AND topic = 'damaged_item' ORDER BY opened_on DESC", (order_id,)
    ).fetchone()
    line = _damaged_line(db, order_id, case)
    days = None
    if case is not None and order["delivered_on"]:
        days = (date.fromisoformat(case["opened_on"]) - date.fromisoformat(order["delivered_on"])).days
    why, citation = _why_not(db, order, case, line, days, rule)
    return {
        "order_id": order_id,
        "customer_id": order["customer_id"],
        "case_id": case["case_id"] if case is not None else None,
        "line_id": line["line_id"] if line is not None else None,
        "item": line["name"] if line is not None else None,
        "amount_cents": line["line_total_cents"] if line is not None else None,
        "amount_eur": f"{line['line_total_cents'] / 100:.2f}" if line is not None else None,
        "days_after_delivery": days,
        "allowed": not why,
        "why": why
        or "reported in time, below the limit for a refund without return, not refunded before; "
        "a team lead must approve it",
        "citation": citation,
    }


def _why_not(
    db: sqlite3.Connection,
    order: sqlite3.Row,
    case: sqlite3.Row | None,
    line: sqlite3.Row | None,
    days: int | None,
    rule: Limits,
) -> tuple[str, str]:
    """The first reason against a refund, empty where there is none, and where the page says so."""
    if order["status"] != "delivered" or not order["delivered_on"]:
        return f"the order is {order['status']}, not delivered", cite("The order is delivered", "opened.")
    if case is None:
        return "no support case says that something arrived damaged", cite("The message says what is broken")
    if line is None:
        return "the case names no item of the order", cite("The item is on a line")
    if days is None or days > rule.days:
        return f"the damage was reported {days} days after delivery, more than {rule.days}", cite("within ")
    if line["line_total_cents"] > rule.amount_cents:
        cited = cite("An item that cost more", "follows the")
        return f"the item cost more than EUR {rule.amount_cents / 100:.2f}: it has to be collected first", cited
    before = db.execute(
        "SELECT status FROM refunds WHERE order_id = ? AND (line_id = ? OR line_id IS NULL)",
        (order["order_id"], line["line_id"]),
    ).fetchone()
    if before is not None:
        said = (
            "a refund of the item was refused before"
            if before["status"] == "rejected"
            else "the item was refunded before"
        )
        return f"{said}: a team lead decides", cite("has not been refunded before")
    return "", cite("within ", "A team lead approves")


def _damaged_line(db: sqlite3.Connection, order_id: int, case: sqlite3.Row | None) -> sqlite3.Row | None:
    """The line whose product the case's subject names; the only line, where there is one."""
    lines = db.execute(
        "SELECT line_id, name, line_total_cents FROM order_lines JOIN products USING (product_id) WHERE order_id = ?",
        (order_id,),
    ).fetchall()
    if case is None:
        return None
    named = [line for line in lines if line["name"].lower() in case["subject"].lower()]
    found: sqlite3.Row | None = named[0] if named else lines[0] if len(lines) == 1 else None
    return found


def _one(db: sqlite3.Connection, sql: str, key: int, missing: str) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(sql, (key,)).fetchone()
    if row is None:
        raise LookupError(missing)
    return row


def _all(db: sqlite3.Connection, sql: str, key: int) -> list[dict[str, Any]]:
    return [dict(row) for row in db.execute(sql, (key,))]
