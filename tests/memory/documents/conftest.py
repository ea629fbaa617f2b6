"""The three indices, each behind one fixture, so that one table of cases runs against all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.doubles.weaviate import serving

from segue.memory.documents import Index, SqliteIndex
from segue.memory.documents.postgres_index import PostgresIndex
from segue.memory.documents.weaviate_index import WeaviateIndex

EVERY = [
    "sqlite",
    pytest.param("postgres", marks=pytest.mark.xdist_group("postgres")),
    "weaviate",
]


@pytest.fixture(params=EVERY)
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Index]:
    """An empty index of each kind; Weaviate's server is a double."""
    if request.param == "weaviate":
        async with serving() as double:
            made: Index = WeaviateIndex(double.url)
            yield made
            await made.close()
    elif request.param == "postgres":
        made = PostgresIndex(request.getfixturevalue("postgres_url"))
        yield made
        await made.close()
    else:
        yield SqliteIndex(tmp_path / "index.db")
