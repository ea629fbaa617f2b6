"""Budgets of runs, teams and tasks: what is reserved, what a model is told and allowed, and what is left at the end."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segue import Agent, Approve, Budget, Planner, Team, Workspace, tool
from segue.base.messages import Message, assistant, estimate_tokens
from segue.base.usage import Usage
from segue.router.deployment import Deployment
from segue.router.errors import BrokenStream, EndpointUnreachable
from segue.router.types import GenerationRequest, OnDelta, Reply, TextDelta
from segue.testing import ScriptedModel, call


class Meterman(Deployment):
    """A model whose prices and lengths the test sets; it keeps to the cap that it is given."""

    engine = "meterman"

    def __init__(
        self, replies: Any, *, lengths: Any = lambda: 20, input_usd: float = 0.0, output_usd: float = 0.0
    ) -> None:
        self.name = self.model = "meterman"
        self.replies = replies
        self.lengths = lengths
        self.prices = input_usd, output_usd
        self.requests: list[GenerationRequest] = []

    async def quote(self, input_tokens: int, output_tokens: int) -> float | None:
        return input_tokens * self.prices[0] + output_tokens * self.prices[1]

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        self.requests.append(request)
        await asyncio.sleep(0)
        wanted, cap = self.lengths(), request.max_output_tokens
        cut = cap is not None and wanted > cap
        output = min(wanted, cap) if cap is not None else wanted
        asked = sum(each.get("tokens", 0) for each in request.messages)
        cost = asked * self.prices[0] + output * self.prices[1]
        message: Message = self.replies(request)
        return Reply(
            message=message,
            usage=Usage(input_tokens=asked, output_tokens=output, model_calls=1, cost_usd=cost),
            finish_reason="length" if cut else "tool_calls" if message.get("tool_calls") else "stop",
        )


@tool(effect="read")
def look(n: int) -> str:
    """Look at a number.

    Args:
        n: Which.
    """
    return f"seen {n}"


def looks(request: GenerationRequest) -> Message:
    return assistant(None, [call("look", n=random.random() * 1e9 // 1)])


def note_of(request: GenerationRequest) -> str:
    last = request.messages[-1]
    return str(last["content"]) if last.get("note") else ""


limits = st.builds(
    Budget,
    tokens=st.none() | st.integers(100, 6_000),
    cost_usd=st.none() | st.floats(0.001, 0.05),
    model_calls=st.none() | st.integers(1, 12),
    tool_calls=st.none() | st.integers(1, 12),
)


def assert_within(usage: Usage, budget: Budget) -> None:
    for name in ("tokens", "cost_usd", "model_calls", "tool_calls"):
        limit = getattr(budget, name)
        spent = usage.total_tokens if name == "tokens" else getattr(usage, name)
        assert limit is None or spent <= limit + 1e-9, (name, spent, limit)


@given(budget=limits, seed=st.integers(0, 1 << 30))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_run_is_never_above_any_limit(ws: Workspace, budget: Budget, seed: int) -> None:
    chance = random.Random(seed)
    model = Meterman(
        lambda request: looks(request) if chance.random() < 0.9 else assistant("done"),
        lengths=lambda: chance.randint(1, 900), input_usd=1e-6, output_usd=1e-5,
    )  # fmt: skip
    run = await ws.run(Agent("a", model=model, tools=[look], max_rounds=40), "go", budget=budget)

    assert run.status in ("completed", "stopped"), run.error
    assert_within(run.usage, budget)


@given(budget=limits, own=limits, seed=st.integers(0, 1 << 30))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_team_of_parallel_workers_is_never_above_any_limit(
    ws: Workspace, budget: Budget, own: Budget, seed: int
) -> None:
    chance = random.Random(seed)
    tasks = [{"id": f"t{n}", "worker": "scout", "task": f"look {n}", "depends_on": []} for n in range(5)]
    plans = iter([assistant(None, [call("submit_plan", tasks=tasks)])])
    planner = Meterman(lambda request: next(plans, assistant("all done")), lengths=lambda: 60, output_usd=1e-5)
    worker = Meterman(
        lambda request: looks(request) if chance.random() < 0.7 else assistant("seen"),
        lengths=lambda: chance.randint(1, 500), input_usd=1e-6, output_usd=1e-5,
    )  # fmt: skip
    scout = Agent("scout", description="Looks.", model=worker, tools=[look], budget=own)

    run = await ws.run(Team("desk", planner=Planner(model=planner), workers=[scout]), "go", budget=budget)

    assert run.status in ("completed", "stopped"), run.error
    assert_within(run.usage, budget)


async def test_the_answer_is_capped_at_what_is_left_and_no_cap_is_sent_where_much_is(ws: Workspace) -> None:
    model = Meterman(lambda request: assistant("fine"))
    agent = Agent("a", model=model)

    for budget in (Budget(tokens=400), Budget(tokens=1_000_000), None):
        await ws.run(agent, "go", budget=budget)

    caps = [request.max_output_tokens for request in model.requests]
    assert caps[0] is not None
    assert 300 < caps[0] < 400
    assert caps[1:] == [None, None]


async def test_a_cost_budget_is_not_overrun_by_generations_side_by_side(ws: Workspace) -> None:
    tasks = [{"id": f"t{n}", "worker": "scout", "task": f"look {n}", "depends_on": []} for n in range(8)]
    planner = ScriptedModel([call("submit_plan", tasks=tasks), "done", "done"])
    worker = Meterman(lambda request: assistant("seen"), lengths=lambda: 1000, output_usd=1e-5)
    scout = Agent("scout", description="Looks.", model=worker)

    run = await ws.run(
        Team("desk", planner=Planner(model=planner, max_replans=0), workers=[scout]), "go",
        budget=Budget(cost_usd=0.035),
    )  # fmt: skip

    assert run.cost_usd is not None
    assert 0.02 < run.cost_usd <= 0.035


async def test_parallel_workers_wait_for_what_others_hold_and_all_of_them_are_done(ws: Workspace) -> None:
    tasks = [{"id": f"t{n}", "worker": "scout", "task": f"look {n}", "depends_on": []} for n in range(8)]
    planner = ScriptedModel([call("submit_plan", tasks=tasks), "done"])
    worker = Meterman(lambda request: assistant("seen"), lengths=lambda: 30)
    scout = Agent("scout", description="Looks.", model=worker)

    run = await ws.run(Team("desk", planner=Planner(model=planner), workers=[scout]), "go", budget=Budget(tokens=4_000))

    assert run.status == "completed", run.error
    assert len(worker.requests) == 8


async def test_near_the_end_the_model_is_told_in_a_last_message_that_is_never_stored(ws: Workspace) -> None:
    notes: list[str] = []

    def reply(request: GenerationRequest) -> Any:
        notes.append(note_of(request))
        return call("look", n=len(notes)) if len(notes) < 6 else "done"

    agent = Agent("a", model=ScriptedModel(reply), tools=[look])
    run = await ws.run(agent, "go", thread_id="t", budget=Budget(model_calls=6))

    assert run.output == "done"
    assert [bool(note) for note in notes] == [False] * 5 + [True]
    assert "1 of 6 model calls" in notes[-1]
    assert "Conclude now" in notes[-1]
    assert not any("[budget]" in str(each["content"]) for each in await ws.messages("t", agent=agent))


async def test_at_the_last_call_no_tool_can_be_called(ws: Workspace) -> None:
    model = ScriptedModel([call("look", n=1), "done"])

    run = await ws.run(Agent("a", model=model, tools=[look]), "go", budget=Budget(tool_calls=1))

    assert run.output == "done"
    assert [request.tool_choice for request in model.requests] == [None, "none"]


async def test_an_answer_that_the_budget_cuts_off_stops_the_run_with_what_was_said(ws: Workspace) -> None:
    model = Meterman(lambda request: assistant("a long story that"), lengths=lambda: 5_000)

    run = await ws.run(Agent("a", model=model), "go", budget=Budget(tokens=600))

    assert (run.status, run.stop_reason) == ("stopped", "budget")
    assert "cut off" in run.error
    assert run.partial == "a long story that"
    assert run.usage.total_tokens <= 600


async def test_a_worker_whose_own_budget_ends_fails_its_task_and_the_run_goes_on(ws: Workspace) -> None:
    tasks = [{"id": "a", "worker": "scout", "task": "look", "depends_on": []}]
    planner = ScriptedModel([call("submit_plan", tasks=tasks), lambda request: "\n".join(map(str, request.messages))])
    first = assistant("I looked at one.", [call("look", n=1)])
    scout = Agent(
        "scout", description="Looks.", model=ScriptedModel([first, call("look", n=2)]), tools=[look],
        budget=Budget(model_calls=1),
    )  # fmt: skip

    run = await ws.run(Team("desk", planner=Planner(model=planner, max_replans=0), workers=[scout]), "go")

    assert run.status == "completed"
    assert "above the budget of 1 of scout" in run.output
    assert "I looked at one." in run.output


async def test_each_task_has_the_workers_budget_for_itself(ws: Workspace) -> None:
    tasks = [{"id": f"t{n}", "worker": "scout", "task": "look", "depends_on": []} for n in range(3)]
    planner = ScriptedModel([call("submit_plan", tasks=tasks), "done"])
    worker = ScriptedModel(lambda request: "seen")
    scout = Agent("scout", description="Looks.", model=worker, budget=Budget(model_calls=1))

    run = await ws.run(Team("desk", planner=Planner(model=planner), workers=[scout]), "go")

    assert (run.status, len(worker.requests)) == ("completed", 3)


async def test_workers_leave_enough_for_the_answer(ws: Workspace) -> None:
    tasks = [{"id": "a", "worker": "scout", "task": "look", "depends_on": []}]
    planner = ScriptedModel([call("submit_plan", tasks=tasks), "as far as it went"])
    seen = iter(range(100))
    scout = Agent(
        "scout", description="Looks.", model=ScriptedModel(lambda request: call("look", n=next(seen))), tools=[look]
    )

    run = await ws.run(Team("desk", planner=Planner(model=planner, max_replans=3), workers=[scout]), "go",
                       budget=Budget(model_calls=6))  # fmt: skip

    assert run.output == "as far as it went"
    assert run.usage.model_calls == 6


async def test_a_workers_time_ends_its_task_and_not_the_run(ws: Workspace) -> None:
    tasks = [{"id": "a", "worker": "scout", "task": "look", "depends_on": []}]
    planner = ScriptedModel([call("submit_plan", tasks=tasks), lambda request: request.messages[-1]["content"]])

    async def forever(request: GenerationRequest) -> str:
        await asyncio.Event().wait()
        return ""

    scout = Agent("scout", description="Looks.", model=ScriptedModel(forever), budget=Budget(wall_s=0.01))
    run = await ws.run(Team("desk", planner=Planner(model=planner, max_replans=0), workers=[scout]), "go")

    assert run.status == "completed", run.error
    assert "the deadline of scout" in run.output


async def test_an_agent_as_a_tool_that_ends_its_budget_is_a_failed_result(ws: Workspace) -> None:
    seen = iter(range(100))
    scout = Agent(
        "scout", description="Looks.", tools=[look], budget=Budget(model_calls=2),
        model=ScriptedModel(lambda request: call("look", n=next(seen))),
    )  # fmt: skip
    boss = Agent(
        "boss", tools=[scout.as_tool()],
        model=ScriptedModel([call("scout", task="look"), lambda request: request.messages[-1]["content"]]),
    )  # fmt: skip

    run = await ws.run(boss, "go")

    assert run.status == "completed", run.error
    assert "above the budget of 2 of scout" in run.output


async def test_what_broke_off_is_counted_by_what_was_seen_and_what_was_never_made_is_not(ws: Workspace) -> None:
    class Failing(Meterman):
        def __init__(self, error: Exception) -> None:
            super().__init__(None)
            self.error = error

        async def generate(self, request: GenerationRequest, *, on_delta: Any = None, deadline: Any = None) -> Reply:
            if on_delta is not None and isinstance(self.error, BrokenStream):
                on_delta(TextDelta("x" * 300))
            raise self.error

    broken = await ws.run(Agent("a", model=Failing(BrokenStream("m", "broke"))), "go", budget=Budget(tokens=9_000))
    nobody = await ws.run(Agent("a", model=Failing(EndpointUnreachable("m", "is away"))), "go")

    assert broken.usage.output_tokens >= 100
    assert broken.usage.input_tokens > 0
    assert nobody.usage == Usage()


async def test_a_generation_that_is_cancelled_counts_what_was_seen_of_it(ws: Workspace) -> None:
    there = asyncio.Event()

    class Endless(Meterman):
        async def generate(self, request: GenerationRequest, *, on_delta: Any = None, deadline: Any = None) -> Reply:
            on_delta(TextDelta("x" * 90))
            there.set()
            await asyncio.Event().wait()
            raise AssertionError("nobody wakes it")

    handle = ws.start(Agent("a", model=Endless(None, output_usd=1e-5)), "go", budget=Budget(cost_usd=1.0))
    await there.wait()
    run = await handle.cancel()

    assert (run.status, run.usage.model_calls, run.usage.output_tokens) == ("stopped", 1, 30)
    assert run.cost_usd == pytest.approx(3e-4)


async def test_a_model_that_takes_more_than_its_cap_is_counted_and_said(
    ws: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    class Greedy(Meterman):
        async def generate(self, request: GenerationRequest, **more: Any) -> Reply:
            return Reply(message=assistant("so much"), usage=Usage(output_tokens=5_000, model_calls=1))

    run = await ws.run(Agent("a", model=Greedy(None)), "go", budget=Budget(tokens=1_000))

    assert run.usage.total_tokens == 5_000
    assert "the budget of tokens is overrun" in caplog.text


async def test_a_cost_budget_over_a_model_without_a_price_says_so_once(
    ws: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    model = ScriptedModel([call("look", n=1), call("look", n=2), "done"], cost_usd=None)

    run = await ws.run(Agent("a", model=model, tools=[look]), "go", budget=Budget(cost_usd=0.1))

    assert run.status == "completed"
    assert caplog.text.count("no price is known") == 1


def test_what_is_not_ascii_and_what_is_no_text_takes_more_tokens() -> None:
    plain, japanese = assistant("a" * 40), assistant("あ" * 40)
    image: Message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:…"}}]}

    assert estimate_tokens(japanese) > 2 * estimate_tokens(plain)
    assert estimate_tokens(image) > 500


async def test_a_budget_of_ones_own_goes_on_after_a_stop_and_starts_anew_with_a_run(ws: Workspace) -> None:
    @tool(approval=True)
    def act() -> str:
        """Act."""
        return "acted"

    model = ScriptedModel([call("act"), "done", "hello"])
    agent = Agent("actor", model=model, tools=[act], budget=Budget(model_calls=1))
    run = await ws.run(agent, "act", thread_id="t")

    run = await ws.resume(run.id, {run.interrupts[0].id: Approve()})
    later = await ws.run(agent, "hi", thread_id="t")

    assert (run.status, run.stop_reason) == ("stopped", "budget")
    assert "of actor" in run.error
    assert later.output == "done"


async def test_what_a_run_has_spent_is_kept_while_it_goes_on(ws: Workspace) -> None:
    spent: list[int] = []

    def reply(request: GenerationRequest) -> Any:
        [run] = ws.runs()
        spent.append(ws.get(run.id).usage.model_calls)
        return call("look", n=len(spent)) if len(spent) < 3 else "done"

    await ws.run(Agent("a", model=ScriptedModel(reply), tools=[look]), "go")

    assert spent == [0, 1, 2]
