"""Trees of meters under random calls: never above a budget at any moment, and nothing held at the end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue import Budget
from segue.base.budget import COUNTED, Meter
from segue.base.errors import RunStopped
from segue.base.usage import Usage

amounts = st.integers(0, 40)
limits = st.none() | st.integers(1, 120)
dollars = st.none() | st.floats(0.01, 1.2)


@dataclass(frozen=True)
class Call:
    """One call: where it is counted, what it reserves, how it ends, and after how many turns of the loop."""

    meter: int
    tokens: int
    cents: int
    tools: int
    takes: float
    """Of what it reserved."""
    ends: str
    turns: int
    waits: bool


calls = st.builds(
    Call,
    meter=st.integers(0, 20),
    tokens=amounts,
    cents=amounts,
    tools=st.integers(0, 2),
    takes=st.floats(0, 1),
    ends=st.sampled_from(["settles", "raises", "is cancelled", "says nothing"]),
    turns=st.integers(0, 4),
    waits=st.booleans(),
)
budgets = st.builds(
    Budget, tokens=limits, cost_usd=dollars, model_calls=st.none() | st.integers(1, 9), tool_calls=limits
)
keeps = st.fixed_dictionaries({}, optional={"tokens": amounts, "model_calls": st.integers(0, 1)})


@given(
    tree=st.lists(st.tuples(st.integers(0, 20), budgets, keeps), min_size=1, max_size=6),
    made=st.lists(calls, min_size=1, max_size=25),
)
@settings(max_examples=300, deadline=None)
def test_no_tree_of_meters_is_ever_above_a_budget_and_all_that_is_held_is_given_back(
    tree: list[tuple[int, Budget, dict[str, float]]], made: list[Call]
) -> None:
    meters = [Meter(tree[0][1])]
    for parent, budget, keep in tree[1:]:
        meters.append(Meter(budget, parent=meters[parent % len(meters)], keep=keep, name=f"m{len(meters)}"))

    settled = asyncio.run(_all(meters, made))

    for number, meter in enumerate(meters):
        below = [usage for at, usage in settled if meter in meters[at].chain()]
        assert all(meter.used(name) - meter.taken(name) == pytest.approx(0) for name in COUNTED), number
        assert meter.spent.total_tokens == sum(usage.total_tokens for usage in below)
        assert meter.spent.model_calls == len(below)
        assert meter.known_cost_usd == pytest.approx(sum(usage.cost_usd or 0.0 for usage in below))
        assert meter.over() == []


async def _all(meters: list[Meter], made: list[Call]) -> list[tuple[int, Usage]]:
    settled: list[tuple[int, Usage]] = []
    tasks = [asyncio.create_task(_one(meters, call, settled)) for call in made]
    for call, task in zip(made, tasks, strict=True):
        if call.ends == "is cancelled":
            for _ in range(call.turns):
                await asyncio.sleep(0)
            task.cancel()
    await asyncio.wait(tasks, timeout=5)
    assert all(task.done() for task in tasks), "a reservation waited for something that nobody holds"
    return settled


async def _one(meters: list[Meter], call: Call, settled: list[tuple[int, Usage]]) -> None:
    at = call.meter % len(meters)
    meter = meters[at]
    wanted: dict[str, Any] = {
        "tokens": call.tokens, "cost_usd": call.cents / 100, "model_calls": 1, "tool_calls": call.tools
    }  # fmt: skip
    while call.waits and meter.held_by_others() and (meter.tokens_left() or 0) < call.tokens:
        await meter.freed()
    with suppress(RunStopped, LookupError), meter.reserve(**wanted) as held:
        _within_budgets(meters)
        for _ in range(call.turns):
            await asyncio.sleep(0)
            _within_budgets(meters)
        if call.ends == "raises":
            raise LookupError
        if call.ends == "settles":
            cost = call.cents / 100 * call.takes
            usage = Usage(output_tokens=int(call.tokens * call.takes), cost_usd=cost, model_calls=1)
            held.settle(usage)
            settled.append((at, usage))
            _within_budgets(meters)


def _within_budgets(meters: list[Meter]) -> None:
    for meter in meters:
        for name in COUNTED:
            limit = getattr(meter.budget, name)
            assert limit is None or meter.used(name) <= limit + 1e-9, (meter.name, name)


def test_what_is_kept_for_an_answer_is_refused_to_those_who_work_before_it() -> None:
    run = Meter(Budget(tokens=100))
    task = Meter(parent=run, name="task", keep={"tokens": 20})

    with pytest.raises(RunStopped, match="the budget of 80 of task") as stopped, task.reserve(tokens=90):
        pass

    assert stopped.value.owner == "task"
    with run.reserve(tokens=90):
        pass


def test_what_was_spent_before_a_stop_counts_after_it_also_where_one_price_is_unknown() -> None:
    before = Meter(Budget(cost_usd=1.0))
    for cost in (0.75, None):
        with before.reserve(model_calls=1) as held:
            held.settle(Usage(model_calls=1, output_tokens=5, cost_usd=cost))

    after = Meter.resumed(Budget(cost_usd=1.0), before.spending())

    assert after.spent == before.spent
    assert after.spent.cost_usd is None
    assert after.least("cost_usd") == pytest.approx(0.25)


def test_spending_is_told_each_time_it_grows() -> None:
    told: list[dict[str, Any]] = []
    run = Meter(on_spent=told.append)
    worker = Meter(Budget(tokens=100), parent=run)

    for _ in range(2):
        with worker.reserve(tokens=10) as held:
            held.settle(Usage(output_tokens=3, model_calls=1))
    with worker.reserve(tokens=10):
        pass

    assert [each["output_tokens"] for each in told] == [3, 6]


async def test_a_reservation_waits_until_another_is_settled_and_can_be_cancelled_meanwhile() -> None:
    meter = Meter(Budget(tokens=10))
    with meter.reserve(tokens=10):
        waiting = asyncio.create_task(meter.freed())
        given_up = asyncio.create_task(meter.freed())
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        assert not waiting.done()

    await waiting
    assert given_up.cancelled()
