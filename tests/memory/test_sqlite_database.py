"""The database port on SQLite: durable when it is back, all or none, patient with others, plain about errors."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from segue.base.errors import ConfigError, StoreError
from segue.memory import sqlite_commits, sqlite_database
from segue.memory.database import Clash, Database, open_database
from segue.memory.sqlite_database import SqliteDatabase

TABLE = "CREATE TABLE things (name TEXT PRIMARY KEY, size INTEGER)"
PUT = "INSERT INTO things (name, size) VALUES (?, ?)"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    async with SqliteDatabase.open(tmp_path / "a folder" / "state.db") as database:
        await database.execute(TABLE)
        yield database


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_commits, "BUSY_S", 0.05)
    monkeypatch.setattr(sqlite_database, "BUSY_S", 0.05)


async def names(database: Database) -> list[str]:
    return [row[0] for row in await database.execute("SELECT name FROM things ORDER BY name")]


async def test_what_came_back_is_there_for_another_process(db: SqliteDatabase) -> None:
    await db.execute(PUT, ("a", 1))

    other = sqlite3.connect(db.path)
    assert other.execute("SELECT name, size FROM things").fetchall() == [("a", 1)]
    other.close()


async def test_a_transaction_that_fails_leaves_nothing_of_itself_and_all_of_its_neighbours(db: SqliteDatabase) -> None:
    bad = [(PUT, ("new", 1)), (PUT, ("twice", 2)), (PUT, ("twice", 3))]

    found = await asyncio.gather(
        db.transaction([(PUT, ("left", 1))], soon=False),
        db.transaction(bad, soon=False),
        db.transaction([(PUT, ("right", 1))], soon=False),
        return_exceptions=True,
    )

    assert isinstance(found[1], Clash)
    assert await names(db) == ["left", "right"]


async def test_writers_of_one_moment_share_a_commit(db: SqliteDatabase) -> None:
    before = await db.execute("PRAGMA data_version")
    other = sqlite3.connect(db.path)
    seen = [other.execute("PRAGMA data_version").fetchone()[0]]

    async def watch() -> None:
        await asyncio.sleep(0)
        seen.append(other.execute("PRAGMA data_version").fetchone()[0])

    await asyncio.gather(*(db.transaction([(PUT, (f"n{at}", at))], soon=False) for at in range(20)), watch())
    after = other.execute("PRAGMA data_version").fetchone()[0]
    other.close()

    assert before == await db.execute("PRAGMA data_version")
    assert seen[0] == seen[1] != after
    assert len(await names(db)) == 20


async def test_a_cancelled_writer_has_written_all_or_none(db: SqliteDatabase) -> None:
    task = asyncio.create_task(db.transaction([(PUT, ("a", 1)), (PUT, ("b", 1))], soon=False))
    await asyncio.sleep(0)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await db.transaction([(PUT, ("c", 1))])

    assert await names(db) == ["c"]


async def test_a_locked_file_is_waited_for_without_blocking_the_loop(db: SqliteDatabase) -> None:
    other = sqlite3.connect(db.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    writing = asyncio.create_task(db.execute(PUT, ("a", 1)))
    for _ in range(5):
        await asyncio.sleep(0.002)
    waited = not writing.done()
    other.execute("COMMIT")
    other.close()
    await writing

    assert waited
    assert await names(db) == ["a"]


@pytest.mark.usefixtures("impatient")
async def test_a_file_that_stays_locked_is_told_as_an_error_that_may_pass(db: SqliteDatabase) -> None:
    other = sqlite3.connect(db.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreError, match="locked") as told:
        await db.execute(PUT, ("a", 1))
    with pytest.raises(StoreError, match="locked"):
        db.execute_now(PUT, ("a", 1))
    other.execute("COMMIT")
    other.close()
    await db.execute(PUT, ("b", 1))

    assert told.value.retryable
    assert await names(db) == ["b"]


async def test_a_full_disk_is_told_and_the_same_object_works_on_when_there_is_room(db: SqliteDatabase) -> None:
    await db.execute(PUT, ("kept", 1))
    pages = (await db.execute("PRAGMA page_count"))[0][0]
    await db.execute(f"PRAGMA max_page_count={pages}")

    with pytest.raises(StoreError, match="full") as told:
        await db.transaction([(PUT, (f"{at:01000}", at)) for at in range(50)])
    assert await names(db) == ["kept"]
    await db.execute("PRAGMA max_page_count=100000")
    await db.execute(PUT, ("later", 1))

    assert told.value.retryable
    assert await names(db) == ["kept", "later"]


async def test_a_file_taken_away_in_the_middle_is_told_and_nothing_is_written_into_nowhere(db: SqliteDatabase) -> None:
    db.path.unlink()

    for attempt in (db.execute(PUT, ("a", 1)), db.execute("SELECT 1"), db.transaction([(PUT, ("a", 1))])):
        with pytest.raises(StoreError, match="moved or deleted") as told:
            await attempt
        assert not told.value.retryable


async def test_the_log_stays_short_whatever_is_written(db: SqliteDatabase) -> None:
    log = Path(f"{db.path}-wal")
    longest = 0
    for at in range(6000):
        await db.execute("INSERT OR REPLACE INTO things (name, size) VALUES (?, ?)", ("x" * 3000, at))
        if at % 100 == 0:
            longest = max(longest, log.stat().st_size)
            await asyncio.sleep(0)

    assert longest < 16 << 20


async def test_threads_and_loops_use_one_object(db: SqliteDatabase) -> None:
    def elsewhere(at: int) -> None:
        db.execute_now(PUT, (f"thread {at}", at))
        asyncio.run(db.execute(PUT, (f"loop {at}", at)))

    await asyncio.gather(*(asyncio.to_thread(elsewhere, at) for at in range(4)), db.execute(PUT, ("here", 0)))

    assert len(await names(db)) == 9


async def test_what_is_used_after_it_was_closed_says_so(tmp_path: Path) -> None:
    database = SqliteDatabase.open(tmp_path / "state.db")
    await database.start()
    await database.close()
    await database.close()

    with pytest.raises(StoreError, match="not open"):
        await database.execute("SELECT 1")


async def test_a_place_is_a_path_or_a_url(tmp_path: Path) -> None:
    async with open_database(f"sqlite:///{tmp_path}/by url.db") as database:
        await database.execute(TABLE)

    assert (tmp_path / "by url.db").is_file()
    with pytest.raises(ConfigError, match="mysql"):
        open_database("mysql://localhost/x")
    with pytest.raises(ConfigError, match="names no file"):
        open_database("sqlite://")


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"something else " * 100)

    with pytest.raises(StoreError, match="not a database"), SqliteDatabase.open(tmp_path / "state.db"):
        pass


KILLED = """
import asyncio, os, signal, sys
from segue.memory.database import open_database
async def main():
    async with open_database(sys.argv[1]) as db:
        await db.execute("CREATE TABLE IF NOT EXISTS things (name TEXT PRIMARY KEY, size INTEGER)")
        for at in range(10**6):
            await db.execute("INSERT INTO things (name, size) VALUES (?, ?)", (f"{os.getpid()} {at}", at))
            print(f"{os.getpid()} {at}", flush=True)
asyncio.run(main())
"""


async def test_nothing_acknowledged_is_lost_to_a_kill(tmp_path: Path) -> None:
    acknowledged = []
    for _ in range(3):
        child = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-c", KILLED, str(tmp_path / "state.db")], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        acknowledged += [child.stdout.readline().strip() for _ in range(20)]
        child.kill()
        acknowledged += child.stdout.read().split("\n")[:-1]
        child.wait()
        child.stdout.close()

    async with open_database(tmp_path / "state.db") as database:
        found = await names(database)
    assert set(acknowledged) <= set(found)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_does_not_use_its_parents_connection(tmp_path: Path) -> None:
    with SqliteDatabase.open(tmp_path / "state.db") as database:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                database.execute_now("SELECT 1")
                os.write(write, b"used it")
            except StoreError as error:
                os.write(write, str(error).encode())
            os._exit(0)
        os.waitpid(child, 0)
        said = os.read(read, 1000).decode()
        os.close(read)
        os.close(write)

    assert "its child" in said
