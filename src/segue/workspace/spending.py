"""What was spent on the router's budgets: rows that every process of the workspace adds to, and looks at."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from segue.memory.database import OwnedDatabase, open_database
from segue.router.budgets import Account

FILE = "spent.db"
_SCHEMA = """CREATE TABLE IF NOT EXISTS router_spent (
    budget TEXT NOT NULL, whose TEXT NOT NULL, period TEXT NOT NULL, usd DOUBLE PRECISION NOT NULL,
    tokens BIGINT NOT NULL, PRIMARY KEY (budget, whose, period))"""
_ADD = """INSERT INTO router_spent VALUES (?, ?, ?, ?, ?) ON CONFLICT (budget, whose, period)
    DO UPDATE SET usd = router_spent.usd + excluded.usd, tokens = router_spent.tokens + excluded.tokens"""


class Spending:
    """The rows, in a database that is opened when they are first wanted."""

    def __init__(self, place: Path | str) -> None:
        self._place = place
        self._lock = asyncio.Lock()
        self._database: OwnedDatabase | None = None

    async def read(self, accounts: Sequence[Account]) -> Mapping[Account, tuple[float, int]]:
        """Dollars and tokens of each that anything was spent on."""
        database, found = await self._open(), dict[Account, tuple[float, int]]()
        for account in accounts:
            rows = await database.execute(
                "SELECT usd, tokens FROM router_spent WHERE budget = ? AND whose = ? AND period = ?", account
            )
            for usd, tokens in rows:
                found[account] = (float(usd), int(tokens))
        return found

    async def add(self, spent: Mapping[Account, tuple[float, int]]) -> None:
        """Add to each, all or none."""
        database = await self._open()
        await database.transaction([(_ADD, (*account, usd, tokens)) for account, (usd, tokens) in spent.items()])

    async def close(self) -> None:
        """Close the database, if it was opened."""
        if self._database is not None:
            await self._database.close()
            self._database = None

    async def _open(self) -> OwnedDatabase:
        async with self._lock:
            if self._database is None:
                database = await open_database(self._place).start()
                await database.execute(_SCHEMA)
                self._database = database
            return self._database
