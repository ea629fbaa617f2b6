"""The example desk as a scenario: a request that ends in a refund, and a second turn."""

from __future__ import annotations

import asyncio
import importlib
import shutil
import sqlite3
import sys
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path
from typing import Any

from segue.testing import Scenario

ROOT = Path(__file__).resolve().parents[2]
REQUEST = (
    "What does the handbook say about damaged items refunded without return? "
    "Sum the amount_cents of refund_facts by category since 2026-01-01. Then plot that table as a bar chart. "
    "Check the damage refund of order 1042, then refund order 1042."
)


def desk(world: Path) -> Any:
    """The example desk, on a copy of its folder."""
    sys.path.insert(0, str(world))
    return importlib.import_module("desk").desk


def shop(world: Path) -> None:
    """The example's folder with its data built and its handbook indexed."""
    shutil.copytree(
        ROOT / "examples" / "shop", world, ignore=shutil.ignore_patterns("data", "__pycache__"), dirs_exist_ok=True
    )
    held = desk(world)

    async def index() -> None:
        await held.open()
        await held.close()

    asyncio.run(index())


def refunds(world: Path) -> list[Hashable]:
    """Every refund of the order that the request is about."""
    with sqlite3.connect(world / "data" / "shop.db") as db:
        return db.execute(
            "SELECT order_id, line_id, amount_cents, status FROM refunds WHERE order_id = 1042"
        ).fetchall()


DESK = Scenario(
    agent=desk,
    requests=[REQUEST, "Count refund_facts by reason."],
    prepare=shop,
    effects=refunds,
    next_request=REQUEST,
    limit_s=240.0,  # two runs, and the machine may be busy
)
ONCE = replace(DESK, requests=[REQUEST])
"""Without the second turn."""
