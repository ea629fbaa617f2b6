"""Locks: one holder at a time, over tasks, objects, processes and machines; they die with whoever holds them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from segue.base.errors import StoreError
from segue.memory import FileLocks
from segue.memory.locks import LockBusy, Locks
from segue.memory.postgres_locks import PostgresLocks

Make = Callable[[], Any]


@pytest.fixture(params=["files", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Make]:
    """Makes lock objects that speak of the same locks."""
    made: list[PostgresLocks] = []
    if request.param == "files":
        yield lambda: FileLocks(tmp_path / "locks")
        return
    url = request.getfixturevalue("postgres_url")

    def another() -> PostgresLocks:
        made.append(PostgresLocks(url))
        return made[-1]

    yield another
    for locks in made:
        await locks.close()


async def test_one_holds_and_the_others_wait_their_turn(make: Make) -> None:
    mine, theirs = make(), make()
    order: list[str] = []

    async def work(locks: Locks, name: str) -> None:
        async with locks.hold("thread 1"):
            order.append(f"{name} in")
            await asyncio.sleep(0)
            order.append(f"{name} out")

    await asyncio.gather(*(work(mine, f"mine {at}") for at in range(4)), work(theirs, "theirs"))

    assert [said.rpartition(" ")[0] for said in order[::2]] == [said.rpartition(" ")[0] for said in order[1::2]]
    ours = [said for said in order if said.startswith("mine") and said.endswith("in")]
    assert ours == [f"mine {at} in" for at in range(4)]


async def test_who_waits_past_the_deadline_is_told_who_holds_it(make: Make) -> None:
    mine, theirs = make(), make()

    async with mine.hold("thread 1"):
        for locks in (mine, theirs):
            for deadline in (0.05, 0):
                with pytest.raises(LockBusy, match=f"'thread 1' is held by process {os.getpid()} on") as told:
                    async with locks.hold("thread 1", deadline=deadline):
                        raise AssertionError("it was held twice")
                assert told.value.retryable
                assert told.value.holder is not None

    async with theirs.hold("thread 1", deadline=0):
        pass


async def test_who_comes_between_two_turns_is_told_at_its_deadline(make: Make) -> None:
    locks = make()
    first = locks.hold("a")
    await first.__aenter__()

    async def for_long() -> None:
        async with locks.hold("a"):
            await asyncio.sleep(5)

    second = asyncio.create_task(for_long())
    await asyncio.sleep(0.05)
    await first.__aexit__(None, None, None)
    with pytest.raises(LockBusy):
        async with asyncio.timeout(3), locks.hold("a", deadline=0.1):
            pass
    second.cancel()
    with suppress(asyncio.CancelledError):
        await second


async def test_held_says_whether_anybody_alive_holds_it(make: Make) -> None:
    mine, theirs = make(), make()

    before = await theirs.held("thread 1")
    async with mine.hold("thread 1"):
        during = [await mine.held("thread 1"), await theirs.held("thread 1"), await theirs.held("thread 2")]
    after = await theirs.held("thread 1")

    assert (before, during, after) == (False, [True, True, False], False)


async def test_a_timeout_of_the_work_is_not_mistaken_for_one_of_the_lock(make: Make) -> None:
    with pytest.raises(TimeoutError):
        async with make().hold("thread 1", deadline=5):
            raise TimeoutError("the work's own")


async def test_a_cancelled_wait_leaves_the_lock_to_the_next(make: Make) -> None:
    locks = make()

    async def wait() -> None:
        async with locks.hold("thread 1"):
            pass

    async with locks.hold("thread 1"):
        waiting = [asyncio.create_task(wait()) for _ in range(3)]
        await asyncio.sleep(0.01)
        waiting[0].cancel()
    await asyncio.gather(*waiting[1:])

    assert waiting[0].cancelled()
    assert not await locks.held("thread 1")


HOLDER = """
import asyncio, sys
from segue.memory import FileLocks
async def main():
    async with FileLocks(sys.argv[1]).hold("thread 1"):
        print("held", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    child = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    locks = FileLocks(tmp_path)

    alive = await locks.held("thread 1")
    with pytest.raises(LockBusy, match=f"process {child.pid}"):
        async with locks.hold("thread 1", deadline=0.02):
            pass
    child.kill()
    child.wait()
    child.stdout.close()

    assert alive
    assert not await locks.held("thread 1")
    async with locks.hold("thread 1", deadline=1):
        pass


async def test_files_that_nobody_took_for_long_are_swept_away(tmp_path: Path) -> None:
    async with FileLocks(tmp_path).hold("old"):
        pass
    (old,) = tmp_path.glob("*.lock")
    os.utime(old, (time.time() - 10**6, time.time() - 10**6))

    async with FileLocks(tmp_path).hold("new"):
        left = list(tmp_path.glob("*.lock"))

    assert old not in left
    assert len(left) == 1


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="cannot be opened"):
        async with FileLocks(tmp_path / "file" / "locks").hold("thread 1"):
            pass


@pytest.mark.xdist_group("postgres")
async def test_who_holds_by_a_connection_that_is_lost_is_told(postgres_url: str) -> None:
    import psycopg

    async with PostgresLocks(postgres_url) as locks, locks.hold("thread 1") as held:
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'segue %'"
            )
        async with asyncio.timeout(5):
            await held.lost.wait()

        assert not await locks.held("thread 1")
