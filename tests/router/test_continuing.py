from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.router.wire_server import Scripted, WireServer, sse, text_chunks

from segue.base.messages import user
from segue.router import Delta, DeploymentSettings, GenerationRequest, Reset, RouterCore, RouteSettings, TextDelta

SAID = "Le café coûte 3 €, and naïve 茶 is free."


def core(server: WireServer, *, continuation: bool = True, second: str = "vllm") -> RouterCore:
    held = {
        name: DeploymentSettings(endpoint=server.url, engine=engine, model="scripted")
        for name, engine in (("a", "vllm"), ("b", second))
    }
    route = RouteSettings(deployments=("a", "b"), policy="first", continuation=continuation)
    return RouterCore(deployments=held, routes={"default": route})


def shown(deltas: list[Delta]) -> str:
    text = ""
    for each in deltas:
        text = "" if isinstance(each, Reset) else text + (each.text if isinstance(each, TextDelta) else "")
    return text


async def cut_after(
    pieces: list[str], said: int, *, tools: tuple[Any, ...] = (), **more: Any
) -> tuple[list[Delta], Any, Any]:
    """The first server breaks off after `said` pieces; the second one says what it is asked to."""
    whole = [sse(*text_chunks(*pieces))]
    head = sse(*text_chunks(*pieces)[: said + 1]).removesuffix(b"data: [DONE]\n\n")
    async with WireServer() as server:
        server.script(Scripted(body=whole[0], cut_at=len(head)))
        router = core(server, **more)
        rest = pieces[said:] if more.get("continuation", True) and not tools else pieces
        server.script(Scripted(body=sse(*text_chunks(*rest))))
        deltas: list[Delta] = []
        found = await router.generate(GenerationRequest(messages=[user("hi")], tools=tools), on_delta=deltas.append)
        await router.aclose()
        return deltas, found, server.requests[-1].body


async def test_the_rest_is_asked_for_and_nothing_that_was_shown_is_taken_back() -> None:
    deltas, found, body = await cut_after(["One ", "two ", "three."], 2)

    assert found.message["content"] == "One two three."
    assert [each.text for each in deltas if isinstance(each, TextDelta)] == ["One ", "two ", "three."]
    assert not any(isinstance(each, Reset) for each in deltas)
    assert body["messages"][-1] == {"role": "assistant", "content": "One two "}
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    assert [each.outcome for each in found.attempts] == ["broken_stream", "ok"]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, len(SAID) - 1), unique=True, max_size=6), st.integers(1, 6))
def test_wherever_it_breaks_off_the_whole_is_the_same(cuts: list[int], said: int) -> None:
    import asyncio

    edges = [0, *sorted(cuts), len(SAID)]
    pieces = [SAID[a:b] for a, b in pairwise(edges)]

    deltas, found, _ = asyncio.run(cut_after(pieces, min(said, len(pieces))))

    assert found.message["content"] == shown(deltas) == SAID


async def test_without_being_asked_to_it_begins_anew() -> None:
    deltas, found, body = await cut_after(["One ", "two."], 1, continuation=False)

    assert found.message["content"] == shown(deltas) == "One two."
    assert sum(isinstance(each, Reset) for each in deltas) == 1
    assert "continue_final_message" not in body


async def test_with_tools_it_begins_anew() -> None:
    tool = {"type": "function", "function": {"name": "t", "parameters": {"type": "object"}}}

    deltas, found, body = await cut_after(["One ", "two."], 1, tools=(tool,))

    assert found.message["content"] == shown(deltas) == "One two."
    assert sum(isinstance(each, Reset) for each in deltas) == 1
    assert len(body["messages"]) == 1


async def test_another_engine_begins_anew() -> None:
    async with WireServer() as server:
        begun = sse(*text_chunks("One ", "two."))
        server.script(Scripted(body=begun, cut_at=len(sse(*text_chunks("One ", "two.")[:2])) - 14))
        server.script(Scripted(body=sse(*text_chunks("Other."))))
        deltas: list[Delta] = []
        router = core(server, second="openai")
        found = await router.generate(GenerationRequest(messages=[user("hi")]), on_delta=deltas.append)
        await router.aclose()

    assert found.message["content"] == shown(deltas) == "Other."
