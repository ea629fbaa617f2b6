"""Work that must come to its end does so, whoever cancels, and wherever it waits."""

from __future__ import annotations

import asyncio

import pytest

from segue.base.finishing import to_the_end


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("waits", [0, 1, 3])
async def test_it_comes_to_its_end(at_once: bool, waits: int) -> None:
    seen: list[int] = []

    async def work() -> None:
        for at in range(waits):
            await asyncio.sleep(0.001 * at)
            seen.append(at)
        seen.append(-1)

    await to_the_end(work(), at_once=at_once)

    assert seen == [*range(waits), -1]


@pytest.mark.parametrize("at_once", [False, True])
async def test_whoever_is_cancelled_meanwhile_goes_on_when_it_is_at_its_end(at_once: bool) -> None:
    go, ended = asyncio.Event(), []

    async def work() -> None:
        await go.wait()
        await asyncio.sleep(0)
        ended.append("work")

    async def outer() -> str:
        await to_the_end(work(), at_once=at_once)
        return "done"

    task = asyncio.create_task(outer())
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    go.set()

    assert await task == "done"
    assert ended == ["work"]


async def test_work_that_never_waits_takes_no_turn_of_the_loop() -> None:
    turns: list[str] = []
    asyncio.get_running_loop().call_soon(turns.append, "a turn")

    async def work() -> None:
        turns.append("work")

    await to_the_end(work(), at_once=True)

    assert turns == ["work"]


async def test_a_cancel_out_of_work_that_never_waits_does_not_undo_what_came_of_it() -> None:
    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    async def outer() -> str:
        await to_the_end(work(), at_once=True)
        return "done"

    assert await asyncio.create_task(outer()) == "done"


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("waits", [False, True])
async def test_what_it_raises_is_raised(at_once: bool, waits: bool) -> None:
    async def work() -> None:
        if waits:
            await asyncio.sleep(0)
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        await to_the_end(work(), at_once=at_once)


async def test_what_it_waits_for_may_fail_and_be_caught() -> None:
    failing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    seen: list[str] = []

    async def work() -> None:
        try:
            await failing
        except ConnectionError as error:
            seen.append(str(error))
        await asyncio.sleep(0)
        seen.append("end")

    asyncio.get_running_loop().call_soon(failing.set_exception, ConnectionError("gone"))
    await to_the_end(work(), at_once=True)

    assert seen == ["gone", "end"]


@pytest.mark.parametrize("at_once", [False, True])
async def test_work_that_is_cancelled_itself_says_so(at_once: bool) -> None:
    inner: list[asyncio.Task[None]] = []

    async def work() -> None:
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        inner.append(task)
        task.cancel()
        await asyncio.sleep(1)

    with pytest.raises(asyncio.CancelledError):
        await to_the_end(work(), at_once=at_once)
    assert inner[0].cancelled()
