"""Who waits has a turn: fairly, without being lost, and without being forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.router.line import Line, Ticket

Who = st.tuples(
    st.sampled_from(["acme", "birch", "cedar"]),
    st.sampled_from(["r1", "r2"]),
    st.sampled_from([("a",), ("b",), ("a", "b"), ("b", "c")]),
)


def served(line: Line, name: str) -> Ticket | None:
    """The one whose turn it is at a deployment takes it."""
    ticket = line.first(name)
    if ticket is not None:
        line.leave(ticket, served=True)
    return ticket


def all_served(line: Line, name: str = "a") -> list[Ticket]:
    found = []
    while (ticket := served(line, name)) is not None:
        found.append(ticket)
    return found


async def test_tenants_take_turns_however_many_requests_each_has() -> None:
    line = Line()
    for _ in range(3):
        line.join("a", "many", "r")
    line.join("a", "few", "r")

    assert [each.tenant for each in all_served(line)] == ["many", "few", "many", "many"]


async def test_runs_of_a_tenant_take_turns() -> None:
    line = Line()
    for run in ("r1", "r1", "r1", "r2", "r2"):
        line.join("a", "acme", run)

    assert [each.run for each in all_served(line)] == ["r1", "r2", "r1", "r2", "r1"]


async def test_requests_of_a_run_go_in_the_order_of_coming_whichever_deployments_they_wait_for() -> None:
    line = Line()
    for names in ("ab", "a", "ab", "ca", "a"):
        line.join(names, "acme", "r")

    assert [each.number for each in all_served(line)] == [1, 2, 3, 4, 5]


async def test_tenants_take_turns_also_where_they_wait_for_different_deployments() -> None:
    line = Line()
    for _ in range(5):
        line.join("a", "many", "r")
    line.join("ab", "few", "r")

    assert [each.tenant for each in all_served(line)][:2] == ["many", "few"]


async def test_a_turn_at_one_deployment_is_a_turn() -> None:
    line = Line()
    for _ in range(2):
        line.join("ab", "many", "r")
        line.join("ab", "few", "r")

    assert [str(each.tenant) for each in (served(line, "a"), served(line, "b")) if each] == ["many", "few"]


async def test_nobody_slips_in_before_those_who_wait() -> None:
    line = Line()
    first, second = line.join("a", "acme", "r"), line.join("a", "birch", "r")

    assert not line.lets(None, "a")
    assert not line.lets(second, "a")
    assert line.lets(first, "a")
    assert line.lets(None, "b")


async def test_who_gives_up_loses_nobody_elses_turn_and_the_next_one_looks() -> None:
    line = Line()
    first, second = line.join("ab", "acme", "r"), line.join("b", "acme", "r")

    line.leave(first, served=False)

    assert second.turn.is_set()
    assert line.first("b") is second
    assert line.first("a") is None
    assert len(line) == 1


async def test_who_leaves_twice_is_gone_once() -> None:
    line = Line()
    first, second = line.join("a", "acme", "r"), line.join("a", "acme", "r")

    line.leave(first, served=True)
    line.leave(first, served=False)

    assert len(line) == 1
    assert line.first("a") is second


async def test_waking_reaches_the_first_one_alone() -> None:
    line = Line()
    first, second = line.join("a", "acme", "r"), line.join("a", "acme", "r")

    line.wake("b")
    assert not first.turn.is_set()
    line.wake("a")

    assert (first.turn.is_set(), second.turn.is_set()) == (True, False)


def test_one_whose_event_loop_is_gone_holds_nobody_up() -> None:
    line = Line()

    async def join() -> Ticket:
        return line.join("a", "acme", "r")

    asyncio.run(join())
    mine: list[bool] = []

    async def another() -> None:
        ticket = line.join("a", "birch", "r")
        mine.append(line.first("a") is ticket)

    asyncio.run(another())
    assert mine == [True]


@settings(max_examples=200, deadline=None)
@given(st.lists(Who, max_size=30), st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_all_are_served_sooner_or_later_and_nothing_is_kept_of_them(who: Any, events: Any) -> None:
    async def play() -> None:
        line = Line()
        waiting = {ticket.number: ticket for ticket in [line.join(names, tenant, run) for tenant, run, names in who]}
        for name, gives_up in events:
            if gives_up and waiting:
                line.leave(waiting.pop(next(iter(waiting))), served=False)
            elif (ticket := served(line, name)) is not None:
                assert waiting.pop(ticket.number) is ticket
                assert name in ticket.names
        left = [ticket for name in "abc" for ticket in all_served(line, name)]
        assert sorted(ticket.number for ticket in left) == sorted(waiting)
        assert len(line) == 0
        assert not line._tenants

    asyncio.run(play())


@settings(max_examples=200, deadline=None)
@given(st.lists(Who, min_size=1, max_size=40), st.lists(st.sampled_from("ab"), max_size=40))
def test_between_two_turns_of_a_tenant_all_others_who_could_have_had_theirs(who: Any, frees: Any) -> None:
    async def play() -> None:
        line = Line()
        waiting = [line.join(names, tenant, run) for tenant, run, names in who]
        others: dict[str, set[str]] = {}
        for name in frees:
            could = {ticket.tenant for ticket in waiting if name in ticket.names}
            ticket = served(line, name)
            assert (ticket is None) == (not could)
            if ticket is None:
                continue
            waiting.remove(ticket)
            assert not (others.get(ticket.tenant, set()) & could - {ticket.tenant})
            for held in others.values():
                held.discard(ticket.tenant)
            others[ticket.tenant] = {each.tenant for each in waiting} - {ticket.tenant}

    asyncio.run(play())


class Slots:
    """Deployments with so many slots each, taken by those whom the line lets."""

    def __init__(self, **free: int) -> None:
        self.free = Counter(free)
        self.line = Line()
        self.lock = threading.Lock()
        self.done: list[int] = []

    async def one(self, number: int, names: str, tenant: str, random: Random) -> None:
        """Take a slot, hold it, and give it back; nothing else than the line wakes it."""
        ticket: Ticket | None = None
        taken = None
        try:
            while (taken := self._taken(ticket, names)) is None:
                if ticket is None:
                    ticket = self.line.join(names, tenant, f"r{number % 3}")
                    continue
                await ticket.turn.wait()
                ticket.turn.clear()
        finally:
            if ticket is not None:
                self.line.leave(ticket, served=taken is not None)
        try:
            for _ in range(random.randrange(3)):
                await asyncio.sleep(0)
            self.done.append(number)
        finally:
            with self.lock:
                self.free[taken] += 1
            self.line.wake(taken)

    def _taken(self, ticket: Ticket | None, names: str) -> str | None:
        for name in names:
            with self.lock:
                if self.free[name] > 0 and self.line.lets(ticket, name):
                    self.free[name] -= 1
                    return name
        return None


async def all_of(slots: Slots, random: Random, count: int, cancelled: float) -> list[int]:
    """Let many go; those who were not cancelled."""
    tasks = []
    for number in range(count):
        names = random.choice(["a", "b", "ab", "ba"])
        tasks.append(asyncio.create_task(slots.one(number, names, random.choice("xyz"), random)))
        if random.random() < 0.3:
            await asyncio.sleep(0)
        if random.random() < cancelled:
            random.choice(tasks).cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(*tasks, return_exceptions=True)
    return [number for number, task in enumerate(tasks) if not task.cancelled()]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.2, 0.5]))
def test_no_wake_up_is_lost_whoever_is_cancelled(seed: int, cancelled: float) -> None:
    slots = Slots(a=2, b=1)

    stayed = asyncio.run(all_of(slots, Random(seed), 60, cancelled))

    assert set(stayed) <= set(slots.done)
    assert len(slots.done) == len(set(slots.done))
    assert slots.free == Counter(a=2, b=1)
    assert len(slots.line) == 0


def test_event_loops_of_several_threads_stand_in_one_line() -> None:
    slots, failures = Slots(a=2, b=1), list[BaseException]()

    def run(asked: Coroutine[Any, Any, Any]) -> None:
        try:
            asyncio.run(asked)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(all_of(slots, Random(seed), 150, 0.1),)) for seed in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)

    assert not failures
    assert slots.free == Counter(a=2, b=1)
    assert len(slots.line) == 0


async def test_who_is_first_after_a_tenant_moved_back_looks_at_all_deployments() -> None:
    line = Line()
    first, second = line.join("a", "acme", "r"), line.join("b", "acme", "r")
    other = line.join("b", "birch", "r")
    line.wake("b")  # b is free, and second has not looked yet

    line.leave(first, served=True)

    assert not line.lets(second, "b")
    assert other.turn.is_set()


async def test_who_comes_and_is_first_at_once_looks_at_once() -> None:
    line = Line()
    line.join("b", "acme", "r")
    other = line.join("a", "birch", "r")
    line.wake("a")  # a is free, and other has not looked yet

    mine = line.join("a", "acme", "r")

    assert not line.lets(other, "a")
    assert mine.turn.is_set()


async def test_a_cancelled_one_that_was_just_woken_hands_its_turn_on() -> None:
    line = Line()
    first, second = line.join("a", "acme", "r"), line.join("a", "acme", "r")

    async def waits(ticket: Ticket) -> None:
        try:
            await ticket.turn.wait()
        finally:
            line.leave(ticket, served=False)

    one = asyncio.create_task(waits(first))
    await asyncio.sleep(0)
    line.wake("a")
    one.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await one

    assert second.turn.is_set()


@pytest.mark.parametrize("names", ["", "a"])
async def test_a_line_that_nobody_stands_in_lets_all(names: str) -> None:
    line = Line()
    line.leave(line.join(names, "acme", "r"), served=True)

    assert line.lets(None, "a")
    assert line.first("a") is None
