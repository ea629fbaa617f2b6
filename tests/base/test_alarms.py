"""Alarms ring once, in order, at their time, and not where they were called off."""

from __future__ import annotations

import asyncio
import gc
import random
import weakref

from segue.base.alarms import Alarms, alarms


async def test_they_ring_in_the_order_of_their_times_and_only_once() -> None:
    loop, rung = asyncio.get_running_loop(), list[int]()
    now, order = loop.time(), list(range(30))
    random.Random(3).shuffle(order)
    for at in order:
        alarms(loop).set(now + 0.01 + at * 0.001, lambda at=at: rung.append(at))  # type: ignore[misc]

    await asyncio.sleep(0.1)

    assert rung == list(range(30))


async def test_none_rings_before_its_time() -> None:
    loop = asyncio.get_running_loop()
    late: list[float] = []
    for wait in (0.03, 0.01, 0.02):
        when = loop.time() + wait
        alarms(loop).set(when, lambda when=when: late.append(loop.time() - when))  # type: ignore[misc]

    await asyncio.sleep(0.08)

    assert len(late) == 3
    assert min(late) >= -loop._clock_resolution  # type: ignore[attr-defined]


async def test_what_was_called_off_does_not_ring_also_in_the_same_moment() -> None:
    loop, rung = asyncio.get_running_loop(), list[str]()
    when = loop.time() + 0.01
    second, third = (alarms(loop).set(when + late, lambda: rung.append("rung")) for late in (0.0, 0.005))

    def call_off() -> None:
        second.cancel()
        third.cancel()

    first = alarms(loop).set(when - 0.000001, call_off)
    gone = alarms(loop).set(when, lambda: rung.append("gone"))
    gone.cancel()
    gone.cancel()

    await asyncio.sleep(0.05)
    first.cancel()

    assert rung == []


async def test_thousands_that_are_called_off_leave_one_timer() -> None:
    loop = asyncio.get_running_loop()
    before = len(loop._scheduled)  # type: ignore[attr-defined]
    for _ in range(5_000):
        alarms(loop).set(loop.time() + 60, lambda: None).cancel()

    assert len(loop._scheduled) <= before + 1  # type: ignore[attr-defined]


async def test_one_that_raises_is_told_to_the_loop_and_the_others_ring() -> None:
    loop, rung, told = asyncio.get_running_loop(), list[str](), list[object]()
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    alarms(loop).set(loop.time() + 0.01, lambda: 1 / 0)
    alarms(loop).set(loop.time() + 0.01, lambda: rung.append("rung"))

    await asyncio.sleep(0.05)

    assert rung == ["rung"]
    assert [type(each) for each in told] == [ZeroDivisionError]


def test_each_loop_has_its_own_which_go_with_it() -> None:
    async def mine() -> Alarms:
        loop = asyncio.get_running_loop()
        alarms(loop).set(loop.time() + 60, lambda: None)
        return alarms(loop)

    first, second = asyncio.run(mine()), asyncio.run(mine())
    assert first is not second

    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None
