"""Customers and the CRM: who buys, how they wrote themselves down, and what was agreed with some of them.

The words and the generator go in; customers, contacts and activities come out. What they order is left to `trade`.
"""

from __future__ import annotations

from shopdata.tables import ANN, LAST_DAY, Draft, Row, day_of, iso

PLAIN = str.maketrans(
    "áàâäåãçéèêëíìîïñóòôöøőúùûüýżźśłńęąćôæÁÀÂÄÅÇÉÈÊËÍÓÖØÚÜŁŻŚÖÆ'ß ",
    "aaaaaaceeeeiiiinoooooouuuuyzzslneacoaAAAAACEEEEIOOOUULZSOA.s.",
)
"""The letters of the names as an e-mail address writes them."""


def customers(draft: Draft) -> None:
    """Make about 4,000 customers, numbered by the day on which they came."""
    taken: set[str] = set()
    rows = [_customer(draft, taken) for _ in range(3_940)] + [dict(ANN)]
    rows += _second_records(draft, rows)
    rows.sort(key=lambda row: row["created_on"])
    draft.customers = [{"customer_id": number} | row for number, row in enumerate(rows, 1)]
    _forget(draft)
    _misspell(draft)


def _customer(draft: Draft, taken: set[str]) -> Row:
    rng = draft.rng
    country = draft.pick({row[1]: row[6] for row in draft.words["countries"]})
    first_names, last_names, cities = draft.words["people"][country]
    name = f"{rng.choice(first_names)} {rng.choice(last_names)}"
    phone = f"+{rng.randrange(30, 49)} {rng.randrange(100, 999)} 555 {rng.randrange(1000, 9999)}"
    return {
        "name": name,
        "email": _new_address(draft, name, taken),
        "phone": None if draft.chance(0.31) else phone,
        "city": rng.choice(cities),
        "country": country,
        "segment": "business" if draft.chance(0.06) else "private",
        "status": "closed" if draft.chance(0.02) else "active",
        "marketing_consent": int(draft.chance(0.4)),
        "created_on": iso(rng.randrange(day_of("2023-02-01"), LAST_DAY - 5)),
    }


def _new_address(draft: Draft, name: str, taken: set[str]) -> str:
    stem = name.translate(PLAIN).lower().replace("..", ".")
    address = f"{stem}@example.org"
    while address in taken:
        address = f"{stem}{draft.rng.randrange(1, 1000)}@{draft.rng.choice(('example.com', 'example.net'))}"
    taken.add(address)
    return address


def _second_records(draft: Draft, rows: list[Row]) -> list[Row]:
    """Sixty people who signed up a second time and wrote their e-mail address in another way."""
    again = []
    for row in draft.rng.sample([row for row in rows[:-1] if row["created_on"] < "2026-06-01"], 60):
        email = row["email"]
        written = draft.rng.choice((email.upper(), email.title(), f"{email} ", f" {email}"))
        late = iso(draft.rng.randrange(day_of(row["created_on"]) + 20, LAST_DAY - 20))
        again.append(row | {"email": written, "phone": None, "status": "active", "created_on": late})
    return again


def _forget(draft: Draft) -> None:
    """Four people who asked to be forgotten: their orders stay, they themselves do not."""
    seen: dict[str, int] = {}
    for row in draft.customers:
        address = row["email"].strip().lower()
        seen[address] = seen.get(address, 0) + 1
    alone = [row for row in draft.customers if seen[row["email"].strip().lower()] == 1 and row["email"] != ANN["email"]]
    for row in draft.rng.sample([row for row in alone if "2023-06" < row["created_on"] < "2025-06"], 4):
        row |= {"name": "(erased on request)", "email": None, "phone": None, "city": None}
        row |= {"segment": "private", "status": "forgotten", "marketing_consent": 0}


def _misspell(draft: Draft) -> None:
    usual = [row for row in draft.customers if row["status"] == "active" and row["email"] != ANN["email"]]
    for row in draft.rng.sample(usual, 210):
        country = row["country"]
        row["country"] = draft.rng.choice((country.upper(), country.lower(), f"{country} ", f" {country}"))
    for row in draft.rng.sample(usual, 25):
        row["name"] += draft.rng.choice((" ", "  "))


def crm(draft: Draft) -> dict[int, int]:
    """Fill the CRM with part of the customers and some leads; return since which day a customer_id is a Plus member."""
    known = [row for row in draft.customers if row["status"] == "active" and row["created_on"] < "2026-09-01"]
    known = [row for row in known if row["email"].strip().islower() and row["email"] != ANN["email"]]
    business = [(row, "business") for row in draft.rng.sample([r for r in known if r["segment"] == "business"], 90)]
    private = draft.rng.sample([row for row in known if row["segment"] == "private"], 259)
    picked = [*business, *((row, "plus" if n < 180 else "standard") for n, row in enumerate(private))]
    picked.insert(34, (draft.ann, "plus"))
    plus: dict[int, int] = {}
    for row, tier in picked:
        contact = _contact(draft, row, tier)
        draft.contacts.append(contact)
        if tier == "plus":
            plus[row["customer_id"]] = day_of(contact["since"])
    draft.contacts += [_lead(draft, number) for number in range(len(picked) + 1, len(picked) + 61)]
    _activities(draft)
    return plus


def _contact(draft: Draft, customer: Row, tier: str) -> Row:
    name, email = customer["name"].strip(), customer["email"].strip()
    contact = {
        "contact_id": len(draft.contacts) + 1,
        "name": name,
        "email": email.upper() if draft.chance(0.08) else email,
        "phone": customer["phone"],
        "company": f"{name.split()[-1]} {draft.rng.choice(draft.words['companies'])}" if tier == "business" else None,
        "tier": tier,
        "owner": draft.rng.choice(draft.words["owners"]),
        "since": iso(min(LAST_DAY, day_of(customer["created_on"]) + draft.rng.randrange(60))),
        "notes": draft.rng.choice(draft.words["contact_notes"]),
    }
    if customer["email"] == ANN["email"]:
        contact |= {"email": ANN["email"], "since": "2025-03-14", "notes": "Buys lamps for a summer house."}
    return contact


def _lead(draft: Draft, number: int) -> Row:
    first_names, last_names, _ = draft.words["people"][draft.rng.choice(list(draft.words["people"]))]
    first, last = draft.rng.choice(first_names), draft.rng.choice(last_names)
    return {
        "contact_id": number,
        "name": f"{first} {last}",
        "email": f"{first}.{last}{number}@lead.example".translate(PLAIN).lower(),
        "phone": None,
        "company": f"{last} {draft.rng.choice(draft.words['companies'])}",
        "tier": "business",
        "owner": draft.rng.choice(draft.words["owners"]),
        "since": iso(LAST_DAY - draft.rng.randrange(400)),
        "notes": "Lead, no order yet.",
    }


def _activities(draft: Draft) -> None:
    said = draft.words["activities"]
    for contact in draft.contacts:
        since = day_of(contact["since"])
        for day in sorted(draft.rng.randrange(since, LAST_DAY + 1) for _ in range(draft.rng.randrange(1, 5))):
            kind = draft.rng.choice(list(said))
            row = {"activity_id": len(draft.activities) + 1, "contact_id": contact["contact_id"], "kind": kind}
            draft.activities.append(row | {"on_date": iso(day), "summary": draft.rng.choice(said[kind])})
