"""PostgresDatabase when sessions end under it: what the server undid is done again, and nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from segue.base.errors import StoreError
from segue.memory.database import Clash, Statement
from segue.memory.postgres_database import POOL, PostgresDatabase, joined, stale

pytestmark = pytest.mark.xdist_group("postgres")

SLEEP: Statement = ("SELECT pg_sleep(0.3)", ())


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    async with PostgresDatabase(postgres_url) as database:
        await database.execute("CREATE TABLE told (word TEXT)")
        yield database


def end_sessions(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'segue'")


async def words(database: PostgresDatabase) -> list[str]:
    return [row[0] for row in await database.execute("SELECT word FROM told ORDER BY word")]


async def test_a_pool_whose_sessions_all_ended_serves_everybody_at_once(
    database: PostgresDatabase, postgres_url: str
) -> None:
    await asyncio.gather(*(database.execute("SELECT pg_sleep(0.1)") for _ in range(POOL)))
    end_sessions(postgres_url)
    await asyncio.sleep(0.1)

    async with asyncio.timeout(9):  # the pool itself would look at one dead connection after the other, and give up
        found = await asyncio.gather(*(database.execute("SELECT 1") for _ in range(3 * POOL)))

    assert found == [[(1,)]] * 3 * POOL


async def test_a_read_whose_session_ended_is_done_again(database: PostgresDatabase, postgres_url: str) -> None:
    under_way: list[asyncio.Task[Any]] = [
        asyncio.create_task(database.execute(*SLEEP)),
        asyncio.create_task(database.transaction([SLEEP, ("SELECT 1", ())])),
        asyncio.create_task(asyncio.to_thread(database.execute_now, *SLEEP)),
    ]
    await asyncio.sleep(0.15)
    end_sessions(postgres_url)

    for each in under_way:
        assert len(await each) > 0


async def test_what_was_to_be_written_when_the_session_ended_is_there_once_or_told(
    database: PostgresDatabase, postgres_url: str
) -> None:
    async def write(number: int) -> str:
        word = f"{number}"
        statements: list[Statement] = [("INSERT INTO told VALUES (?)", (word,)), SLEEP]
        try:
            if number % 2:
                await database.transaction(statements)
            else:
                await asyncio.to_thread(database.transaction_now, statements)
        except StoreError:
            return ""
        return word

    writing = [asyncio.create_task(write(number)) for number in range(6)]
    await asyncio.sleep(0.15)
    end_sessions(postgres_url)

    told = [each for each in await asyncio.gather(*writing) if each]

    assert await words(database) == sorted(told)


async def test_what_is_undone_each_time_is_told_at_last(database: PostgresDatabase) -> None:
    undone: Statement = ("DO $$ BEGIN RAISE EXCEPTION 'a deadlock' USING ERRCODE = '40P01'; END $$", ())

    with pytest.raises(StoreError, match="a deadlock"):
        await database.transaction([("INSERT INTO told VALUES ('never')", ()), undone])
    with pytest.raises(StoreError, match="a deadlock"):
        await asyncio.to_thread(database.transaction_now, [("INSERT INTO told VALUES ('never')", ()), undone])

    assert await words(database) == []


async def test_a_connection_is_stale_once_its_session_ended(postgres_url: str) -> None:
    connection = await psycopg.AsyncConnection.connect(postgres_url, application_name="segue")
    async with connection:
        assert not stale(connection)
        end_sessions(postgres_url)
        await asyncio.sleep(0.1)
        assert stale(connection)


PLAIN = "INSERT INTO told (word) VALUES (?)"


def test_inserts_of_one_kind_that_follow_each_other_go_in_one_statement() -> None:
    back = "INSERT INTO told (word) VALUES (?) RETURNING word"
    other = "INSERT INTO numbers (a, b) VALUES (?, ?)"

    found = joined([(PLAIN, ("a",)), (PLAIN, ("b",)), (other, (1, 2)), (PLAIN, ("c",)), (back, ("d",)), (back, ("e",))])

    assert found == [
        ("INSERT INTO told (word) VALUES (?), (?)", ["a", "b"], 2),
        (other, (1, 2), 1),
        (PLAIN, ("c",), 1),
        (back, ("d",), 1),
        (back, ("e",), 1),
    ]


@pytest.mark.parametrize("now", [False, True])
async def test_each_statement_has_its_own_rows_though_some_went_together(database: PostgresDatabase, now: bool) -> None:
    statements: list[Statement] = [
        *((PLAIN, (f"{number:04d}",)) for number in range(1_200)),
        ("INSERT INTO told VALUES (?) RETURNING word", ("x",)),
        ("SELECT count(*) FROM told", ()),
        (PLAIN, (None,)),
    ]

    found = await (asyncio.to_thread(database.transaction_now, statements) if now else database.transaction(statements))

    assert found == [*([] for _ in range(1_200)), [("x",)], [(1_201,)], []]


async def test_a_row_that_clashes_undoes_all_that_went_with_it(database: PostgresDatabase) -> None:
    await database.execute("CREATE UNIQUE INDEX ON told (word)")

    with pytest.raises(Clash):
        await database.transaction([(PLAIN, ("a",)), (PLAIN, ("b",)), (PLAIN, ("a",))])

    assert await words(database) == []
