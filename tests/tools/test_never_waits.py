"""Async tools without an `await`: they run at once, with all that a task would have given them."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest

from segue.tools.running import Call, never_waits

SAID: ContextVar[str] = ContextVar("SAID", default="nothing")


async def plain(a: int = 1) -> int:
    SAID.set("plain")
    return a + 1


async def awaits() -> None:
    await asyncio.sleep(0)


async def loops() -> None:
    async for _ in many():
        pass


async def enters() -> None:
    async with asyncio.Lock():
        pass


async def many() -> Any:
    yield 1


def other() -> int:
    return 1


class Thing:
    async def plain(self) -> str:
        return "of a thing"


async def wrong() -> None:
    raise ValueError("no")


async def cancels() -> None:
    raise asyncio.CancelledError


def test_only_coroutines_without_a_place_to_wait_never_wait() -> None:
    assert [each.__name__ for each in (plain, awaits, loops, enters, many, other, wrong) if never_waits(each)] == [
        "plain", "wrong",
    ]  # fmt: skip
    assert never_waits(Thing().plain)


async def test_what_it_returns_and_raises_is_what_the_call_came_to() -> None:
    calls = [Call(fn, (), {}, awaited=True) for fn in (plain, Thing().plain, wrong, cancels)]

    trusted = [await call.ended(1.0) for call in calls]

    assert trusted == [True, True, True, False]
    assert [call.task.result() for call in calls[:2]] == [2, "of a thing"]
    with pytest.raises(ValueError, match="no"):
        calls[2].task.result()


async def test_variables_that_it_sets_are_its_own() -> None:
    assert await Call(plain, (), {"a": 2}, awaited=True).ended(1.0)

    assert SAID.get() == "nothing"


async def test_others_have_their_turn_though_nothing_waits() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    for _ in range(80):
        await Call(plain, (), {}, awaited=True).ended(1.0)
    beside.cancel()

    assert turns >= 10
