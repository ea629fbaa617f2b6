"""MapReduce: items out in waves, a bounded number at a time, one answer back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from segue import Agent, Approve, Budget, RunContext, Team, UserError, Workspace, tool
from segue.agents import MapReduce, Planner
from segue.base.messages import text_of
from segue.context.events import EdgeTaken
from segue.testing import ScriptedModel, call


def words(text: str) -> list[str]:
    return text.split()


async def test_each_item_is_worked_on_once_and_results_keep_the_order_of_the_items(ws: Workspace) -> None:
    async def shout(item: str) -> str:
        await asyncio.sleep(0.01 if item == "a" else 0)
        return item.upper()

    run = await ws.run(MapReduce("shout", split=words, worker=shout, wave=2), "a b c d e")

    assert run.status == "completed"
    assert run.output == ["A", "B", "C", "D", "E"]


async def test_a_wave_is_never_larger_and_no_more_work_at_a_time_than_allowed(ws: Workspace) -> None:
    under_way, most = 0, 0

    async def work(item: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return item

    digest = MapReduce("digest", split=lambda text: list(range(25)), worker=work, max_parallel=3, wave=10)
    handle = ws.start(digest, "go")
    sent = [event.reason async for event in handle.events() if isinstance(event, EdgeTaken) and event.target == "map"]
    run = await handle

    assert run.output == list(range(25))
    assert most == 3
    assert [sent.count(f"wave {number}: {size} of {left} items left") for number, size, left in
            [(1, 10, 25), (2, 10, 15), (3, 5, 5)]] == [10, 10, 5]  # fmt: skip


async def test_an_agent_works_and_another_reduces(ws: Workspace) -> None:
    model = ScriptedModel(lambda request: f"<{request.messages[-1]['content']}>")
    summary = ScriptedModel(lambda request: request.messages[-1]["content"])
    worker = Agent("worker", model=model, description="Brackets.")
    reduce = Agent("writer", model=summary, description="Writes.")

    run = await ws.run(MapReduce("digest", split=words, worker=worker, reduce=reduce), "x y")

    assert '"value": "<x>"' in run.output
    assert '"value": "<y>"' in run.output


async def test_typed_workers_give_data(ws: Workspace) -> None:
    class Length(BaseModel):
        chars: int

    worker = Agent(
        "worker", model=ScriptedModel(lambda request: {"chars": len(text_of(request.messages[-1]))}),
        description="Counts.", output_type=Length,
    )  # fmt: skip
    count = MapReduce(
        "count", split=words, worker=worker, reduce=lambda results: sum(each["value"]["chars"] for each in results),
        output_type=int,
    )  # fmt: skip

    run = await ws.run(count, "one three")

    assert run.output == 8


async def test_a_failed_item_is_tried_again_as_often_as_allowed_and_then_told_to_reduce(ws: Workspace) -> None:
    tries: list[str] = []

    async def work(item: str) -> str:
        tries.append(item)
        if item == "bad" or (item == "shaky" and tries.count("shaky") == 1):
            raise ValueError(f"no luck with {item}")
        return item

    run = await ws.run(
        MapReduce("m", split=words, worker=work, reduce=lambda results: results, max_attempts=2), "good bad shaky"
    )

    assert tries.count("good") == 1
    assert tries.count("bad") == 2
    assert tries.count("shaky") == 2
    assert [each["failed"] for each in run.output] == [False, True, False]
    assert run.output[1]["value"] == "error: ValueError: no luck with bad"


async def test_an_approval_inside_an_item_pauses_the_run_and_only_that_item_goes_on(ws: Workspace) -> None:
    done: list[str] = []

    @tool(approval=lambda item: item == "b")
    def ship(item: str) -> str:
        """Ship it.

        Args:
            item: What.
        """
        done.append(item)
        return f"shipped {item}"

    def model(request: Any) -> Any:
        last = request.messages[-1]
        return call("ship", item=last["content"]) if last["role"] == "user" else last["content"]

    worker = Agent("worker", model=ScriptedModel(model), tools=[ship], description="Ships.")
    digest = MapReduce("digest", split=words, worker=worker)

    waiting = await ws.run(digest, "a b c")
    assert waiting.status == "waiting"
    assert sorted(done) == ["a", "c"]

    run = await ws.resume(waiting.id, {waiting.interrupts[0].id: Approve()})
    assert run.output == ["shipped a", "shipped b", "shipped c"]
    assert sorted(done) == ["a", "b", "c"]


async def test_it_is_a_worker_of_a_team(ws: Workspace) -> None:
    async def shout(item: str) -> str:
        return item.upper()

    planner = ScriptedModel([
        call("submit_plan", tasks=[{"id": "t1", "worker": "shout", "task": "a b", "depends_on": []}]),
        lambda request: request.messages[-1]["content"],
    ])  # fmt: skip
    team = Team(
        "team", planner=Planner(model=planner), workers=[MapReduce("shout", split=words, worker=shout, description="S")]
    )

    run = await ws.run(team, "go")

    assert '["A","B"]' in run.output


async def test_its_own_budget_fails_it_as_a_worker_and_the_run_goes_on(ws: Workspace) -> None:
    worker = Agent("worker", model=ScriptedModel(lambda request: "done"), description="Works.")
    digest = MapReduce(
        "digest", split=words, worker=worker, max_parallel=1, budget=Budget(model_calls=2), description="D"
    )
    planner = ScriptedModel([
        call("submit_plan", tasks=[{"id": "t1", "worker": "digest", "task": "a b c d", "depends_on": []}]),
        call("submit_plan", tasks=[{"id": "t2", "worker": "digest", "task": "a", "depends_on": []}]),
        lambda request: str(request.messages[-1]["content"]),
    ])  # fmt: skip

    run = await ws.run(Team("team", planner=Planner(model=planner), workers=[digest]), "go")

    assert run.status == "completed"
    assert "budget" in str(planner.requests[1].messages[-1]["content"])
    assert "done" in run.output


async def test_functions_with_options_of_their_own_are_given_the_value_alone(ws: Workspace) -> None:
    def told(results: list[dict[str, Any]], ctx: RunContext[Any] | None = None) -> str:
        assert ctx is not None
        return ",".join(str(each["value"]) for each in results)

    lines = MapReduce("lines", split=str.splitlines, worker=len, reduce=told)
    parts = MapReduce("parts", split=str.split, worker=ascii)

    assert (await ws.run(lines, "a\nbc")).output == "1,2"
    assert (await ws.run(parts, "a bc")).output == ["'a'", "'bc'"]


async def test_a_run_that_its_budget_stops_has_the_items_that_are_done(ws: Workspace) -> None:
    worker = Agent("worker", model=ScriptedModel(["alpha", "beta"]))

    run = await ws.run(
        MapReduce("digest", split=words, worker=worker, max_parallel=1, wave=1), "a b c d", budget=Budget(model_calls=2)
    )

    assert (run.status, run.stop_reason) == ("stopped", "budget")
    assert run.partial == "## 1\n\nalpha\n\n## 2\n\nbeta"


async def test_no_item_is_a_list_of_none(ws: Workspace) -> None:
    async def work(item: str) -> str:
        raise AssertionError("nothing to do")

    run = await ws.run(MapReduce("m", split=lambda text: [], worker=work), "go")

    assert run.output == []


async def test_more_items_than_the_bound_end_the_run_and_nothing_is_done(ws: Workspace) -> None:
    async def work(item: int, ctx: RunContext[Any]) -> int:
        raise AssertionError("nothing may run")

    run = await ws.run(MapReduce("m", split=lambda text: range(11), worker=work, max_items=10), "go")

    assert run.status == "failed"
    assert "11 items, above its bound of 10" in run.error


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"max_parallel": 0}, "max_parallel=0"),
        ({"split": "words"}, "split is a function"),
        ({"worker": 3}, "is no worker"),
        ({"reduce": 3}, "reduce is an agent"),
    ],
)
def test_what_does_not_fit_is_told_when_it_is_written(wrong: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"split": words, "worker": words, **wrong}

    with pytest.raises(UserError, match=said):
        MapReduce("m", **given)
