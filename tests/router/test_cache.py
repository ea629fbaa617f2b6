"""The very same request is answered again for nothing, for its tenant alone, for a while, and never after a write."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from segue import Agent, Workspace, tool
from segue.base.messages import Message, user
from segue.router import Delta, GenerationRequest, RouterCore, RouteSettings, TextDelta
from segue.testing import Script, ScriptedModel, call

ROUTE = RouteSettings(deployments=("model",), cache_s=60)
CALLED: list[Message] = [
    user("Where is order 7?"),
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c-1", "type": "function", "function": {"name": "find", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c-1", "name": "find", "content": "on its way"},
]


def core(*replies: Any, route: RouteSettings = ROUTE) -> RouterCore:
    model = ScriptedModel([*replies] or [f"answer {number}" for number in range(20)], name="model")
    return RouterCore(deployments={"model": model}, routes={"default": route})


def request(text: str = "hi", **more: Any) -> GenerationRequest:
    return GenerationRequest(messages=[user(text)], **more)


async def test_it_is_answered_again_as_a_message_of_its_own_that_costs_nothing() -> None:
    held, shown = core(), list[Delta]()

    first = await held.generate(request())
    again = await held.generate(request(), on_delta=shown.append)

    assert again.cached
    assert not first.cached
    assert again.message["content"] == first.message["content"] == "answer 0"
    assert again.message["id"] != first.message["id"]
    assert (again.usage.input_tokens, again.usage.cost_usd) == (0, 0.0)
    assert "".join(each.text for each in shown if isinstance(each, TextDelta)) == "answer 0"
    assert "from its cache" in again.why
    assert (held.cache.figures.hits, held.cache.figures.misses) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"text": "hi!"}, {"tenant": "b"}, {"temperature": 0.5}, {"max_output_tokens": 9}, {"stop": ("x",)},
        {"tools": ({"type": "function", "function": {"name": "f"}},)}, {"extra": {"seed": 1}},
        {"output_schema": {"type": "object"}}, {"tool_choice": "none"},
    ],
)  # fmt: skip
async def test_whatever_the_model_would_see_or_whoever_asks_makes_another_request(other: dict[str, Any]) -> None:
    held = core()

    await held.generate(request())

    assert not (await held.generate(request(**other))).cached


async def test_what_is_never_sent_does_not() -> None:
    held = core()

    await held.generate(request(session="s-1", run="r-1", input_estimate=5))

    assert (await held.generate(request(session="s-2", run="r-2", speaker="x"))).cached


async def test_it_is_kept_no_longer_than_the_route_says() -> None:
    held = core(route=ROUTE.model_copy(update={"cache_s": 0.05}))

    await held.generate(request())
    await asyncio.sleep(0.1)

    assert not (await held.generate(request())).cached


async def test_after_a_tool_that_may_write_it_is_asked_anew_unless_the_route_says_so() -> None:
    asked = GenerationRequest(messages=CALLED)
    for route, reads, cached in (
        (ROUTE, frozenset[str](), False),
        (ROUTE, frozenset({"find"}), True),
        (ROUTE.model_copy(update={"cache_after_writes": True}), frozenset[str](), True),
    ):
        held = core(route=route)
        both = [await held.generate(GenerationRequest(messages=asked.messages, reads=reads)) for _ in range(2)]
        assert both[1].cached is cached


async def test_tool_calls_get_ids_of_their_own() -> None:
    held = core(call("find", number=7), call("find", number=7))

    first, again = await held.generate(request()), await held.generate(request())

    assert again.cached
    (one,), (other,) = first.message["tool_calls"], again.message["tool_calls"]
    assert one["function"] == other["function"]


async def test_it_keeps_to_its_size_and_forgets_what_was_not_asked_for_the_longest() -> None:
    held = core(*["x" * 1000] * 30)
    held.cache.most_bytes = 16_000

    for number in range(12):
        await held.generate(request(f"question {number}"))
        await held.generate(request("question 0"))

    assert held.cache.figures.size_bytes <= 16_000
    assert (await held.generate(request("question 0"))).cached
    assert not (await held.generate(request("question 1"))).cached


async def test_without_cache_s_nothing_is_kept() -> None:
    held = core(route=RouteSettings(deployments=("model",)))

    await held.generate(request())

    assert not (await held.generate(request())).cached
    assert held.cache.figures.entries == 0


async def test_an_agent_that_only_reads_is_answered_from_it_and_one_that_writes_is_not() -> None:
    @tool(effect="read")
    def find() -> str:
        """Find it."""
        return "found"

    @tool
    def book() -> str:
        """Book it."""
        return "booked"

    for held_tool, calls_again in ((find, 0), (book, 1)):
        name = held_tool.name
        model = ScriptedModel(Script({"Do it.": [call(name), "Done.", call(name), "Done."]}), name="model")
        router = RouterCore(deployments={"model": model}, routes={"default": ROUTE})
        async with Workspace.open(router=router) as ws:
            agent = Agent("one", tools=[held_tool])
            for _ in range(2):
                run = await ws.run(agent, "Do it.")
                assert run.output == "Done."
        assert router.cache.figures.hits == 2 - calls_again
