"""Support cases: what customers wrote about their orders, and when it was answered.

Orders and refunds go in, for a refund mostly begins with a message; nothing else depends on the cases.
"""

from __future__ import annotations

from shopdata.tables import FIRST_DAY, LANTERN, LAST_DAY, SPECIAL_ORDER, Draft, Row, day_of, iso

TOPIC_OF_REASON = {
    "damaged": "damaged_item",
    "faulty": "faulty_item",
    "changed_mind": "return",
    "wrong_item": "wrong_item",
    "lost_parcel": "lost_parcel",
    "late_delivery": "delivery",
    "cancelled_order": "payment",
    "goodwill": "complaint",
}
OTHER_TOPICS = {"delivery": 44.0, "payment": 19.0, "invoice": 16.0, "complaint": 9.0, "return": 12.0}
CHANNELS = {"email": 50.0, "chat": 22.0, "phone": 12.0, "form": 16.0}
TOTAL, WITHOUT_ORDER = 2_500, 181


def cases(draft: Draft) -> None:
    """Make 2,500 cases, numbered by the day on which they were opened."""
    _about_refunds(draft)
    _about_orders(draft)
    _without_order(draft)
    _back_dated(draft)
    _about_1042(draft)
    draft.support_cases.sort(key=lambda row: (row["opened_on"], row["message"]))
    draft.support_cases = [row | {"case_id": number} for number, row in enumerate(draft.support_cases, 1)]


def _about_refunds(draft: Draft) -> None:
    first = _first_items(draft)
    for refund in draft.refunds:
        if draft.chance(0.68) and refund["reason"] in TOPIC_OF_REASON:
            line = draft.order_lines[refund["line_id"] - 1] if refund["line_id"] else None
            item = draft.products[line["product_id"] - 1]["name"] if line else first[refund["order_id"]]
            day = day_of(refund["requested_on"]) - draft.rng.randrange(2)
            _case(draft, refund, TOPIC_OF_REASON[refund["reason"]], day, item)


def _about_orders(draft: Draft) -> None:
    first, ann = _first_items(draft), draft.ann["customer_id"]
    others = [order for order in draft.orders if order["customer_id"] != ann]
    while len(draft.support_cases) < TOTAL - WITHOUT_ORDER - 1:
        order, topic = draft.rng.choice(others), draft.pick(OTHER_TOPICS)
        after = order["delivered_on"] if topic in ("return", "complaint") else order["ordered_on"]
        if after:
            _case(draft, order, topic, day_of(after) + draft.rng.randrange(1, 9), first[order["order_id"]])


def _without_order(draft: Draft) -> None:
    """Questions before anything was bought, and one person who wants to be forgotten and still stands there."""
    known = [row for row in draft.customers if row["status"] == "active" and row is not draft.ann]
    for number in range(WITHOUT_ORDER - 1):
        customer, item = draft.rng.choice(known), draft.rng.choice(draft.products)["name"]
        day = draft.rng.randrange(max(FIRST_DAY, day_of(customer["created_on"])), LAST_DAY)
        _case(draft, customer, "privacy" if number % 9 == 0 else "product_question", day, item)
    text = "Please erase everything you hold about me and confirm it in writing."
    _case(draft, draft.rng.choice(known), "privacy", day_of("2026-10-26"), "")
    draft.support_cases[-1] |= {"channel": "email", "priority": "normal", "status": "open", "agent": "Ida Kvist"}
    draft.support_cases[-1] |= {"subject": "Please forget me", "message": text, "satisfaction": None, "closed_on": None}


def _back_dated(draft: Draft) -> None:
    """Twelve cases whose day lies before the day of their order."""
    ordered = {order["order_id"]: day_of(order["ordered_on"]) for order in draft.orders}
    late = [row for row in draft.support_cases if ordered.get(row["order_id"], 0) > FIRST_DAY + 90]
    for row in draft.rng.sample(late, 12):
        row["opened_on"] = iso(ordered[row["order_id"]] - draft.rng.randrange(3, 60))


def _about_1042(draft: Draft) -> None:
    order = next(row for row in draft.orders if row["order_id"] == SPECIAL_ORDER)
    text = (
        f"Hello, my order {SPECIAL_ORDER} came on Wednesday and the {LANTERN} arrived damaged: the glass is cracked "
        "from top to bottom. The two candle holders are fine. Two photos are attached. I would like my money back for "
        "the lantern. Ann Lindqvist"
    )
    _case(draft, order, "damaged_item", day_of("2026-10-09"), LANTERN)
    draft.support_cases[-1] |= {"channel": "email", "priority": "normal", "status": "open", "agent": "Noor Haddad"}
    draft.support_cases[-1] |= {"subject": f"{LANTERN} arrived damaged", "message": text}
    draft.support_cases[-1] |= {"satisfaction": None, "closed_on": None}


def _first_items(draft: Draft) -> dict[int, str]:
    """Name the first thing of every order."""
    items: dict[int, str] = {}
    for line in draft.order_lines:
        items.setdefault(line["order_id"], draft.products[line["product_id"] - 1]["name"])
    return items


def _case(draft: Draft, about: Row, topic: str, day: int, item: str) -> None:
    """Append one case of the customer, and of the order if there is one, that `about` names."""
    opened, order = max(FIRST_DAY, min(day, LAST_DAY)), about.get("order_id")
    closed = opened + draft.rng.choice((0, 1, 1, 2, 2, 3, 4, 5, 7, 9, 14, 21))
    done = closed <= LAST_DAY and not draft.chance(0.004)
    subject, message = (text.format(item=item, order=order) for text in draft.rng.choice(draft.words["cases"][topic]))
    mood = draft.rng.choices((1, 2, 3, 4, 5), (6, 9, 20, 38, 27))[0]
    row = {
        "case_id": 0,
        "customer_id": about["customer_id"],
        "order_id": order,
        "channel": draft.pick(CHANNELS),
        "topic": topic,
        "priority": "high" if topic == "complaint" else draft.pick({"low": 20, "normal": 72, "high": 8}),
        "status": "closed" if done else draft.rng.choice(("open", "waiting")),
        "agent": draft.rng.choice(draft.words["agents"]),
        "subject": subject,
        "message": message,
        "satisfaction": mood if done and draft.chance(0.4) else None,
        "opened_on": iso(opened),
        "closed_on": iso(closed) if done else None,
    }
    draft.support_cases.append(row)
