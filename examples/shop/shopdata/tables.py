"""What every part of the data shares: the rows made so far, the calendar, and the names that never change.

A row is a dict with the columns of its table in `schema.sql` or `crm.sql`. Each part takes the draft and appends its
rows; which part runs when is decided in `build.py`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date
from typing import Any

FIRST_DAY, LAST_DAY = date(2025, 1, 1).toordinal(), date(2026, 10, 31).toordinal()
RENUMBERED = date(2026, 10, 1).toordinal()
"""The new order system's first day: it counts from 1001, while the old one had reached six digits."""
SPECIAL_ORDER = 1042
LANTERN, CANDLES = "Vinga storm lantern", "Vinga candle holder"
ANN = {
    "name": "Ann Lindqvist",
    "email": "ann.lindqvist@example.org",
    "phone": "+46 40 555 01 42",
    "city": "Malmö",
    "country": "Sweden",
    "segment": "private",
    "status": "active",
    "marketing_consent": 1,
    "created_on": "2025-03-08",
}
"""The customer of order 1042."""

Row = dict[str, Any]


@dataclass(kw_only=True)
class Draft:
    """The rows by table while they are made, with what they are made from."""

    rng: random.Random
    words: dict[str, Any]
    """The parsed `catalogue.json`."""
    countries: list[Row] = field(default_factory=list)
    customers: list[Row] = field(default_factory=list)
    products: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    order_lines: list[Row] = field(default_factory=list)
    payments: list[Row] = field(default_factory=list)
    refunds: list[Row] = field(default_factory=list)
    support_cases: list[Row] = field(default_factory=list)
    contacts: list[Row] = field(default_factory=list)
    activities: list[Row] = field(default_factory=list)

    def pick(self, shares: dict[str, float]) -> str:
        """Draw one of the keys, each as often as its share says."""
        return self.rng.choices(list(shares), list(shares.values()))[0]

    def chance(self, share: float) -> bool:
        """Say yes in `share` of all times; 0.1 is one in ten."""
        return self.rng.random() < share

    @property
    def ann(self) -> Row:
        """The customer of order 1042."""
        return next(row for row in self.customers if row["email"] == ANN["email"])


def iso(day: int) -> str:
    """Write a day number as YYYY-MM-DD."""
    return date.fromordinal(day).isoformat()


def day_of(text: str) -> int:
    """Read YYYY-MM-DD as a day number."""
    return date.fromisoformat(text).toordinal()
