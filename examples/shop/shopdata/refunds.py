"""Refunds: what came back of the money, why, and who approved it; most by the handbook, some not.

Orders, lines and payments go in. The messages that people wrote about it are left to `cases`.
"""

from __future__ import annotations

from shopdata.tables import LAST_DAY, Draft, Row, day_of, iso

LIMITS_CENTS = {"agent": 5_000, "team_lead": 25_000, "head_of_care": 100_000, "finance_director": 10**9}
"""Up to which amount a role may approve a refund, as handbook/approval-limits.md has it."""
REASONS = {
    "damaged": (0.019, 12),
    "changed_mind": (0.026, 13),
    "faulty": (0.010, 200),
    "wrong_item": (0.006, 9),
    "goodwill": (0.004, 20),
    "late_delivery": (0.003, 4),
    "price_match": (0.003, 6),
}
"""In which share of delivered orders a refund is asked for, and within how many days after delivery."""
WHOLE_ORDER = ("lost_parcel", "cancelled_order")
PART = {"goodwill": 0.15, "late_delivery": 0.1, "price_match": 0.12}
"""Which share of the line's price such a refund gives back; the others give back all of it."""


def refunds(draft: Draft) -> None:
    """Make about 1,200 refunds, at most one for an order, numbered by the day on which they were asked for."""
    lines: dict[int, list[Row]] = {}
    for line in draft.order_lines:
        lines.setdefault(line["order_id"], []).append(line)
    paid = {row["order_id"] for row in draft.payments if row["status"] == "captured"}
    paid -= {row["order_id"] for row in draft.orders if row["customer_id"] == draft.ann["customer_id"]}
    rows = []
    for order in draft.orders:
        if order["order_id"] in paid:
            rows += _refund_of(draft, order, draft.rng.choice(lines[order["order_id"]]))
    rows.sort(key=lambda row: row["requested_on"])
    draft.refunds = [{"refund_id": number} | row for number, row in enumerate(rows, 1)]
    _break_the_rules(draft)


def _refund_of(draft: Draft, order: Row, line: Row) -> list[Row]:
    """Make no refund or one, as the order's status, its goods and chance have it."""
    reason, days = _reason(draft, order, line)
    asked = day_of(order["delivered_on"] or order["shipped_on"] or order["ordered_on"]) + days
    if not reason or asked > LAST_DAY:
        return []
    if reason == "changed_mind":
        order["status"] = "returned"
    whole = reason in WHOLE_ORDER
    amount = order["total_cents"] if whole else max(100, int(line["line_total_cents"] * PART.get(reason, 1.0)))
    row = {"order_id": order["order_id"], "customer_id": order["customer_id"]}
    row |= {"line_id": None if whole else line["line_id"], "reason": reason}
    return [row | _decision(draft, reason, min(amount, 4_000) if reason == "goodwill" else amount, asked)]


def _reason(draft: Draft, order: Row, line: Row) -> tuple[str, int]:
    """Draw why money is asked back ('' for not at all) and how many days later."""
    chance, rng, product = draft.rng.random(), draft.rng, draft.products[line["product_id"] - 1]
    if order["status"] == "lost":
        return "lost_parcel", rng.randrange(14, 22)
    if order["status"] == "cancelled":
        return ("cancelled_order", rng.randrange(1, 4)) if chance < 0.72 else ("", 0)
    if order["status"] == "delivered" and line["line_total_cents"] > 0:
        for name, (share, days) in REASONS.items():
            chance -= share * _harm(draft, order, line) if name == "damaged" else share
            if chance < 0:
                matched = name != "price_match" or product["seller"] == "Nordlys"
                return (name, rng.randrange(1, days)) if matched else ("", 0)
    return "", 0


def _harm(draft: Draft, order: Row, line: Row) -> float:
    """Say how much more often than usual such goods break; lamps since the new boxes of June 2026 twice as often."""
    category = draft.products[line["product_id"] - 1]["category"]
    new_boxes = category == "Lighting" and order["ordered_on"] >= "2026-06-01"
    return float(draft.words["categories"][category]["damage"]) * (2 if new_boxes else 1)


def _approver(reason: str, cents: int) -> str:
    role = next(role for role, limit in LIMITS_CENTS.items() if cents <= limit)
    return "team_lead" if reason == "damaged" and role == "agent" else role


def _decision(draft: Draft, reason: str, cents: int, asked: int) -> Row:
    row: Row = {"status": "rejected", "amount_cents": cents, "approved_by": None}
    row |= {"requested_on": iso(asked), "paid_on": None}
    paid = asked + draft.rng.randrange(2, 10)
    if draft.chance(0.06) and reason not in WHOLE_ORDER:
        return row
    if paid <= LAST_DAY:
        return row | {"status": "paid", "approved_by": _approver(reason, cents), "paid_on": iso(paid)}
    if draft.chance(0.5):
        return row | {"status": "approved", "approved_by": _approver(reason, cents)}
    return row | {"status": "requested"}


def _break_the_rules(draft: Draft) -> None:
    """Refunds that should not have been paid so: too high, approved too low, dated back, or paid twice."""
    rng, paid = draft.rng, [row for row in draft.refunds if row["status"] == "paid" and row["line_id"]]
    for row in rng.sample([row for row in paid if row["reason"] == "damaged" and row["amount_cents"] < 9_000], 15):
        row["amount_cents"] += rng.randrange(300, 900)
    for row in rng.sample([r for r in paid if r["reason"] != "damaged" and r["approved_by"] == "team_lead"], 12):
        row["approved_by"] = "agent"
    for row in rng.sample(paid, 9):
        row["paid_on"] = iso(day_of(row["requested_on"]) - rng.randrange(1, 20))
    for row in rng.sample([r for r in paid if r["reason"] == "faulty" and r["requested_on"] < "2026-10"], 6):
        again = day_of(row["requested_on"]) + 21
        second = {"refund_id": len(draft.refunds) + 1, "requested_on": iso(again), "paid_on": iso(again + 3)}
        draft.refunds.append(row | second)
