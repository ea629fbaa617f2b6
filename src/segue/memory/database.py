"""Database: statements in, rows out, durable when they are back; SQLite and PostgreSQL behind one face.

What keeps state - the savers, the effect ledger - speaks to this port, so that both lie in one database and move to
another by its URL. SQL is written in what both understand, with `?` for each parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

Row = tuple[Any, ...]
Statement = tuple[str, Sequence[Any]]


class Database(Protocol):
    """A database that is open."""

    @property
    def dialect(self) -> Literal["sqlite", "postgres"]:
        """Which SQL it speaks, where the two differ."""
        ...

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run one statement and return its rows; what it wrote is durable by then.

        Raises:
            StoreError: The database cannot be read or written; `retryable` says whether to try again.
        """
        ...

    async def transaction(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Run statements together, all or none; durable when they are back.

        Raises:
            StoreError: As for `execute`; nothing was written then.
        """
        ...
