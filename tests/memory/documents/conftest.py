"""The three indices, each behind one fixture, so that one table of cases runs against all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from segue.memory.documents import Index, SqliteIndex

EVERY = [
    "sqlite",
    pytest.param("postgres", marks=pytest.mark.xdist_group("postgres")),
]


@pytest.fixture(params=EVERY)
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Index]:
    """An empty index of each kind."""
    made = _made(request, tmp_path)
    yield made
    await made.close()


def _made(request: pytest.FixtureRequest, tmp_path: Path) -> Index:
    if request.param == "postgres":
        from segue.memory.documents.postgres_index import PostgresIndex

        return PostgresIndex(request.getfixturevalue("postgres_url"))
    return SqliteIndex(tmp_path / "index.db")
