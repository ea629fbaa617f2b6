"""Products, orders, their lines and payments: what is sold, what was bought, and how it was paid.

Customers and Plus members go in; what came back afterwards is left to `refunds` and `cases`.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from datetime import date

from shopdata.tables import CANDLES, FIRST_DAY, LANTERN, LAST_DAY, RENUMBERED, SPECIAL_ORDER, Draft, Row, day_of, iso

BUSY_MONTHS = (0.9, 0.8, 0.85, 0.95, 1.1, 1.15, 1.1, 0.95, 0.95, 1.0, 1.5, 1.7)
CHANNELS = {"web": 58.0, "app": 26.0, "phone": 7.0, "marketplace": 9.0}
METHODS = {"card": 46.0, "paypal": 27.0, "invoice": 17.0, "bank_transfer": 7.0, "gift_card": 3.0}


def countries(draft: Draft) -> None:
    """Write down where the shop delivers, at what cost and how fast; handbook/shipping.md shows the same table."""
    columns = ("country_code", "country", "vat_percent", "shipping_cents", "free_shipping_from_cents", "delivery_days")
    draft.countries = [dict(zip(columns, row, strict=False)) for row in draft.words["countries"]]


def products(draft: Draft) -> None:
    """Make 300 products, ten kinds of things in three series for each of ten categories."""
    for category, facts in draft.words["categories"].items():
        for noun, low, high, weight in facts["nouns"]:
            for series in facts["series"]:
                price = draft.rng.randrange(low // 100, high // 100 + 1) * 100 + 90
                row = _product(draft, category, f"{series} {noun}", price)
                row |= {"weight_grams": weight, "warranty_months": facts["warranty_months"]}
                row |= {"hygiene": int(noun in facts["hygiene"]), "hazardous": int(noun in facts["hazardous"])}
                draft.products.append(row)


def _product(draft: Draft, category: str, name: str, price: int) -> Row:
    number, fixed = len(draft.products) + 1, {LANTERN: 6490, CANDLES: 1490}
    price = fixed.get(name, price)
    other_seller = draft.chance(0.08) and name not in fixed
    return {
        "product_id": number,
        "sku": f"{category[:3].upper()}-{number:04d}",
        "name": name,
        "category": category,
        "price_cents": price,
        "cost_cents": price * draft.rng.randrange(38, 62) // 100,
        "seller": draft.rng.choice(draft.words["sellers"]) if other_seller else "Nordlys",
        "stock": 0 if draft.chance(0.06) else draft.rng.randrange(3, 240),
    }


def orders(draft: Draft, plus: dict[int, int]) -> None:
    """Make 15,000 orders with their lines, in the order of their days; `plus` says who ships free from which day."""
    span = range(FIRST_DAY, LAST_DAY + 1)
    weights = [BUSY_MONTHS[date.fromordinal(d).month - 1] * (1 + 0.4 * n / len(span)) for n, d in enumerate(span)]
    days = sorted(draft.rng.choices(span, weights, k=15_000))
    first_new = bisect.bisect_left(days, RENUMBERED)
    popular = sorted(draft.products, key=lambda _: draft.rng.random())
    harmless = [row for row in popular if not row["hazardous"]]
    rates = {row["country"].lower(): row for row in draft.countries}
    ann, buyers = draft.ann, [row for row in draft.customers if row["status"] != "closed"]
    buyers = [row for row in buyers if row is not ann]
    came = [row["created_on"] for row in buyers]
    for index, day in enumerate(days):
        number = 100_001 + index if index < first_new else 1_001 + index - first_new
        buyer = buyers[int(bisect.bisect(came, iso(day)) * draft.rng.random())]
        if number == SPECIAL_ORDER or index in (4_000, 9_000):
            buyer = ann
        rate = rates[buyer["country"].strip().lower()]
        goods = _lines(draft, number, popular if rate["country"] != "Ireland" else harmless)
        order = _order(draft, number, buyer, day, rate)
        free = goods >= rate["free_shipping_from_cents"] or plus.get(buyer["customer_id"], LAST_DAY + 1) <= day
        shipping = 0 if free else rate["shipping_cents"]
        discount = goods // 10 if draft.chance(0.06) and number != SPECIAL_ORDER else 0
        order |= {"shipping_cents": shipping, "discount_cents": discount, "total_cents": goods + shipping - discount}
        draft.orders.append(order)


def _order(draft: Draft, number: int, buyer: Row, day: int, rate: Row) -> Row:
    order = {"order_id": number, "customer_id": buyer["customer_id"], "channel": draft.pick(CHANNELS)}
    order |= _journey(draft, day, rate["delivery_days"])
    if number == SPECIAL_ORDER:
        order |= {"channel": "web", "status": "delivered"}
        order |= {"ordered_on": "2026-10-02", "shipped_on": "2026-10-03", "delivered_on": "2026-10-07"}
    return order


def _journey(draft: Draft, day: int, usual_days: int) -> Row:
    """Say how far an order of that day has come by the shop's last day."""
    chance, shipped = draft.rng.random(), day + draft.rng.randrange(1, 4)
    delivered = shipped + max(1, usual_days + draft.rng.randrange(-2, 4))
    row: Row = {"status": "cancelled", "ordered_on": iso(day), "shipped_on": None, "delivered_on": None}
    if chance < 0.032:
        return row
    if shipped > LAST_DAY:
        return row | {"status": "processing"}
    row |= {"status": "shipped", "shipped_on": iso(shipped)}
    if chance < 0.040 and day < LAST_DAY - 25:
        return row | {"status": "lost"}
    return row | {"status": "delivered", "delivered_on": iso(delivered)} if delivered <= LAST_DAY else row


def _lines(draft: Draft, number: int, popular: Sequence[Row]) -> int:
    """Append the lines of one order and return what its goods cost together, in cents."""
    rng = draft.rng
    count = rng.choices((1, 2, 3, 4, 5, 7), (29, 34, 21, 9, 5, 2))[0]
    picked = [popular[int(len(popular) * rng.random() ** 1.5)] for _ in range(count)]
    amounts = rng.choices((1, 2, 3, 6), (78, 15, 5, 2), k=count)
    amounts = [1 if row["hazardous"] else n for row, n in zip(picked, amounts, strict=True)]
    gift = draft.chance(0.006) and count > 1
    if number == SPECIAL_ORDER:
        named = {row["name"]: row for row in draft.products}
        picked, amounts, gift = [named[LANTERN], named[CANDLES]], [1, 2], False
    prices = [row["price_cents"] for row in picked]
    if gift:
        prices[-1] = 0
    for product, quantity, price in zip(picked, amounts, prices, strict=True):
        line = {"line_id": len(draft.order_lines) + 1, "order_id": number, "product_id": product["product_id"]}
        line |= {"quantity": quantity, "unit_price_cents": price, "line_total_cents": quantity * price}
        draft.order_lines.append(line)
    return sum(quantity * price for quantity, price in zip(amounts, prices, strict=True))


def payments(draft: Draft) -> None:
    """Make what was tried and what was paid for every order, in one step or in two."""
    business = {row["customer_id"] for row in draft.customers if row["segment"] == "business"}
    for order in draft.orders:
        method = draft.pick(METHODS)
        if order["customer_id"] in business:
            method = "invoice"
        if order["order_id"] == SPECIAL_ORDER:
            method = "card"
        for status, amount, day in _payment_steps(draft, order, method):
            row = {"payment_id": len(draft.payments) + 1, "order_id": order["order_id"], "method": method}
            row |= {"status": status, "amount_cents": amount, "attempted_on": iso(min(day, LAST_DAY))}
            draft.payments.append(row)


def _payment_steps(draft: Draft, order: Row, method: str) -> list[tuple[str, int, int]]:
    """Say in which steps an order was paid: status, cents and day of each."""
    total, day, chance = order["total_cents"], day_of(order["ordered_on"]), draft.rng.random()
    later = day + draft.rng.randrange(1, 6)
    if order["order_id"] == SPECIAL_ORDER:
        return [("captured", total, day)]
    if order["status"] == "cancelled" and chance > 0.3:
        return [("voided", total, day)]
    if method == "invoice" and day > LAST_DAY - 14:
        return [("pending", total, day)]
    if chance < 0.014:
        return [("captured", total // 2, day), ("captured", total - total // 2, later)]
    if chance < 0.040:
        return [("failed", total, day), ("captured", total, min(day + 1, later))]
    if chance > 0.995 and method == "card":
        return [("charged_back", total, day)]
    return [("captured", total, day)]
