"""The ledger on a database: who has a claim, what is sealed, what a tenant sees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segue.base.errors import StoreError
from segue.context.effects import Came, Effect, Ledger, MemoryLedger
from segue.memory.checkpoints import open_saver
from segue.memory.database import open_database
from segue.memory.locks import FileLocks
from segue.memory.sealing import Sealer, new_key
from segue.memory.sqlite_database import SqliteDatabase
from segue.tools.ledger import DatabaseLedger, open_ledger


def effect(key: str = "key_1", claim: str = "clm_1", **more: Any) -> Effect:
    given: dict[str, Any] = {
        "tenant": "acme", "key": key, "delivery": f"dlv_{key}", "claim": claim, "run_id": "run_1", "thread_id": "t",
        "call_id": "c", "tool": "refund", "effect": "write", "arguments": {"order": 7, "big": 2**70, "odd": "\ud800"},
        "claimed_at": 1000.5, **more,
    }  # fmt: skip
    return Effect(**given)


CAME = Came(content="refunded € 5 \ud800", atoms=(("/amount", "5"),), artefact_id="art_1")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    async with SqliteDatabase.open(tmp_path / "state.db") as opened:
        yield opened


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
async def ledger(request: pytest.FixtureRequest, database: SqliteDatabase, tmp_path: Path) -> AsyncIterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
    elif request.param == "sqlite":
        made = DatabaseLedger(database, locks=FileLocks(tmp_path / "locks"))
        yield made
        await made.aclose()
    else:
        url = request.getfixturevalue("postgres_url")
        async with AsyncExitStack() as stack:
            saver = await stack.enter_async_context(open_saver(url))
            yield await open_ledger(saver, tmp_path, stack)


@pytest.mark.xdist_group("postgres")
async def test_the_owner_of_a_claim_is_known_to_live_on_another_machine(postgres_url: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as here, AsyncExitStack() as there:
        ledgers = []
        for stack, folder in ((here, "a"), (there, "b")):
            saver = await stack.enter_async_context(open_saver(postgres_url))
            ledgers.append(await open_ledger(saver, tmp_path / folder, stack))
        await ledgers[0].claim(effect())
        [found] = await ledgers[1].effects("acme")
        assert found.under_way

        await here.aclose()

        [found] = await ledgers[1].effects("acme")
        assert found.open


async def test_a_claim_is_had_by_one(ledger: Ledger) -> None:
    assert await ledger.claim(effect()) is None
    found = await ledger.claim(effect(claim="clm_2"))

    assert found is not None
    assert (found.claim, found.state, found.arguments) == ("clm_1", "claimed", effect().arguments)
    assert await ledger.busy(found)


async def test_a_record_is_read_as_it_was_written(ledger: Ledger) -> None:
    await ledger.claim(effect())
    assert await ledger.record(replace(effect(), recorded_at=1001.25), "recorded", CAME)

    [found] = await ledger.find("acme", deliveries=["dlv_key_1"])

    assert (found.state, found.came, found.owner) == ("recorded", CAME, "")
    assert not await ledger.busy(found)


async def test_what_was_released_can_be_claimed_anew(ledger: Ledger) -> None:
    await ledger.claim(effect())
    await ledger.release(effect())

    assert await ledger.claim(effect(claim="clm_2")) is None


async def test_what_was_left_is_open_and_can_be_taken_over_by_one(ledger: Ledger) -> None:
    await ledger.claim(effect())
    await ledger.leave(effect())
    [found] = await ledger.effects("acme", open_only=True)
    assert not await ledger.busy(found)

    taken = [await ledger.claim(effect(claim=f"clm_{n}"), over=found) for n in (2, 3)]

    assert taken[0] is None
    assert taken[1] is not None
    assert taken[1].claim == "clm_2"
    assert not await ledger.record(effect(), "recorded", CAME), "the first claim was taken over"
    assert await ledger.record(effect(claim="clm_2"), "recorded", CAME)


async def test_who_waits_for_a_claim_goes_on_when_it_ends(ledger: Ledger) -> None:
    await ledger.claim(effect())
    [found] = await ledger.find("acme", keys=["key_1"])
    waiting = asyncio.ensure_future(ledger.wait(found, 5))
    await asyncio.sleep(0)

    await ledger.record(effect(), "failed", CAME)

    await asyncio.wait_for(waiting, 1)
    assert [each.state for each in await ledger.effects("acme")] == ["failed"]


async def test_lists_keep_to_their_tenant_run_and_thread(ledger: Ledger) -> None:
    for n, (tenant, run_id, thread_id) in enumerate(
        [("acme", "run_1", "t"), ("acme", "run_2", "t"), ("acme", "run_2", "u"), ("other", "run_1", "t")]
    ):
        at = {"tenant": tenant, "run_id": run_id, "thread_id": thread_id, "claimed_at": float(n)}
        await ledger.claim(effect(f"key_{n}", f"clm_{n}", **at))

    def keys(found: list[Effect]) -> list[str]:
        return [each.key for each in found]

    assert keys(await ledger.effects("acme")) == ["key_2", "key_1", "key_0"]
    assert keys(await ledger.effects("acme", limit=1)) == ["key_2"]
    assert keys(await ledger.effects("acme", run_id="run_2", thread_id="t")) == ["key_1"]
    assert keys(await ledger.effects("other")) == ["key_3"]
    assert await ledger.find("other", keys=["key_0"], deliveries=["dlv_key_0"]) == []
    assert [each.under_way for each in await ledger.effects("acme")] == [True] * 3
    assert await ledger.effects("acme", open_only=True) == []


async def test_a_claim_is_under_way_for_as_long_as_its_owner_lives(database: SqliteDatabase, tmp_path: Path) -> None:
    locks = FileLocks(tmp_path / "locks")
    owner, other = DatabaseLedger(database, locks=locks), DatabaseLedger(database, locks=locks)
    await owner.claim(effect())
    [found] = await other.effects("acme")
    assert found.under_way

    await owner.aclose()

    [found] = await other.effects("acme")
    assert found.open
    await other.aclose()


async def test_arguments_and_results_are_sealed_and_rows_cannot_be_moved(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    ledger = DatabaseLedger(database, sealer=Sealer(new_key()))
    for key in ("key_1", "key_2"):
        await ledger.claim(effect(key, f"clm_{key}", arguments={"iban": "DE02120300000000202051"}))
        await ledger.record(effect(key, f"clm_{key}"), "recorded", Came(content="paid to DE02120300000000202051"))
    assert (await ledger.find("acme", keys=["key_1"]))[0].arguments == {"iban": "DE02120300000000202051"}
    for file in tmp_path.glob("state.db*"):
        assert b"DE0212" not in file.read_bytes()

    for column in ("arguments", "came"):
        await database.execute(
            f"UPDATE effects SET {column} = (SELECT {column} FROM effects WHERE key = 'key_2') WHERE key = 'key_1'"
        )
        with pytest.raises(StoreError, match="key_1"):
            await ledger.find("acme", keys=["key_1"])
        await database.execute("DELETE FROM effects WHERE key = 'key_1'")
        await ledger.claim(effect("key_1", "clm_key_1"))
        await ledger.record(effect("key_1", "clm_key_1"), "recorded", CAME)


async def test_rows_of_another_key_are_refused(database: SqliteDatabase) -> None:
    await DatabaseLedger(database, sealer=Sealer(new_key())).claim(effect())

    for sealer in (Sealer(new_key()), None):
        with pytest.raises(StoreError, match="encrypted"):
            await DatabaseLedger(database, sealer=sealer).effects("acme")


async def test_a_claim_that_is_cut_short_leaves_nothing_behind(database: SqliteDatabase) -> None:
    class Cancelled:
        """A database whose caller is cancelled after the statement ran."""

        dialect = "sqlite"
        once = True

        async def execute(self, sql: str, parameters: Any = ()) -> Any:
            rows = await database.execute(sql, parameters)
            if sql.startswith("INSERT") and self.once:
                self.once = False
                raise asyncio.CancelledError
            return rows

        def __getattr__(self, name: str) -> Any:
            return getattr(database, name)

    ledger = DatabaseLedger(Cancelled())  # type: ignore[arg-type]
    with pytest.raises(asyncio.CancelledError):
        await ledger.claim(effect())

    assert await ledger.effects("acme") == []
    assert await ledger.claim(effect(claim="clm_2")) is None


async def test_many_claims_at_once_have_one_winner_for_each_key(database: SqliteDatabase) -> None:
    ledgers = [DatabaseLedger(database) for _ in range(4)]

    async def claim(n: int) -> bool:
        return await ledgers[n % 4].claim(effect(f"key_{n % 10}", f"clm_{n}")) is None

    won = await asyncio.gather(*(claim(n) for n in range(100)))

    assert sum(won) == 10


@pytest.mark.parametrize("place", ["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
async def test_those_who_begin_a_ledger_at_the_same_moment_share_it(
    place: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = tmp_path / "new.db" if place == "sqlite" else request.getfixturevalue("postgres_url")
    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(open_database(url)) for _ in range(6)]
        ledgers = [DatabaseLedger(each) for each in databases]

        found = await asyncio.gather(*(each.claim(effect(claim=f"clm_{n}")) for n, each in enumerate(ledgers)))

    assert found.count(None) == 1
