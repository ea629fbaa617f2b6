"""Tables by id: the same rows have the same id, a tenant's tables are its own, old ones give way."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from segue.tools.sandbox import tables
from segue.tools.sandbox.tables import MemoryTableStore, NoSuchTable, SqliteTableStore, TableStore, TableTooLarge

ROWS: list[dict[str, Any]] = [{"a": 1, "b": "x"}, {"a": None, "b": "ü"}]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TableStore:
    return MemoryTableStore() if request.param == "memory" else SqliteTableStore(tmp_path / "tables.db")


async def test_rows_come_back_as_they_went_in_under_an_id_of_their_content(store: TableStore) -> None:
    first, again = await store.put("acme", ROWS), await store.put("acme", ROWS)

    assert first == again
    assert re.fullmatch(tables.TABLE_ID_PATTERN, first)
    assert await store.get("acme", first) == ROWS


async def test_a_tenant_finds_its_own_tables_only(store: TableStore) -> None:
    table_id = await store.put("acme", ROWS)

    with pytest.raises(NoSuchTable, match=table_id):
        await store.get("other", table_id)
    assert await store.put("other", ROWS) != table_id


async def test_a_table_beyond_the_limit_is_refused(store: TableStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 1)

    with pytest.raises(TableTooLarge, match="2 rows"):
        await store.put("acme", ROWS)


async def test_a_file_keeps_the_newest_tables_of_each_tenant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "KEPT_PER_TENANT", 3)
    store = SqliteTableStore(tmp_path / "tables.db")
    other = await store.put("other", ROWS)

    ids = [await store.put("acme", [{"n": number}]) for number in range(5)]

    assert [await store.get("acme", table_id) for table_id in ids[2:]] == [[{"n": 2}], [{"n": 3}], [{"n": 4}]]
    with pytest.raises(NoSuchTable):
        await store.get("acme", ids[1])
    assert await store.get("other", other) == ROWS


async def test_another_process_finds_what_this_one_kept(tmp_path: Path) -> None:
    table_id = await SqliteTableStore(tmp_path / "tables.db").put("acme", ROWS)

    assert await SqliteTableStore(tmp_path / "tables.db").get("acme", table_id) == ROWS


async def test_many_who_start_at_once_on_one_new_file_all_keep_their_rows(tmp_path: Path) -> None:
    stores = [SqliteTableStore(tmp_path / "tables.db") for _ in range(12)]

    ids = await asyncio.gather(*(store.put("acme", [{"n": number}]) for number, store in enumerate(stores)))

    assert [await stores[0].get("acme", table_id) for table_id in ids] == [[{"n": number}] for number in range(12)]
