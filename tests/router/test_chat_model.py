from __future__ import annotations

import asyncio
import contextlib
from typing import Any, cast

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic import BaseModel
from tests.router.wire_server import Scripted, WireServer, chunk, error_reply, sse, text, text_chunks, two_calls

from segue.base.messages import user
from segue.router import (
    BrokenStream,
    DeploymentSettings,
    GenerationRequest,
    NoDeploymentLeft,
    Router,
)

HI = GenerationRequest(messages=[user("hi")])


def over(server: WireServer, *replies: Scripted, **more: Any) -> Router:
    server.script(*replies)
    return Router(deployments={"a": DeploymentSettings(endpoint=server.url, model="m", **more)})


@tool
def find_order(order_id: int) -> str:
    """Find an order."""
    return f"order {order_id}"


async def test_the_router_is_a_langchain_chat_model() -> None:
    async with WireServer() as server:
        model = over(server, Scripted(body=sse(*two_calls())))

        message = await model.bind_tools([find_order], tool_choice="any").ainvoke("hi")

    assert isinstance(model, BaseChatModel)
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [
        ("find_customer", {"email": "ann@müller.example"}),
        ("find_order", {"order_id": 1042}),
    ]
    assert message.usage_metadata is not None
    assert message.usage_metadata["input_tokens"] == 100
    assert message.response_metadata["deployment"] == "a"
    assert server.bodies[0]["tool_choice"] == "required"


async def test_a_stream_through_langchain_gives_text_as_it_comes_and_calls_whole() -> None:
    async with WireServer() as server:
        model = over(server, Scripted(body=sse(*two_calls())))

        chunks = [each async for each in model.astream("hi")]

    total = chunks[0]
    for each in chunks[1:]:
        total += each
    assert [each.content for each in chunks[:2]] == ["Zwei Blicke… ", "早 🙂"]
    assert [call["args"] for call in total.tool_calls] == [{"email": "ann@müller.example"}, {"order_id": 1042}]
    assert total.usage_metadata is not None


async def test_a_langchain_stream_that_breaks_after_its_first_text_raises_and_does_not_repeat_itself() -> None:
    body = sse(*text_chunks("Hel", "lo"))
    cut_at = body.index(b'"lo"')
    shown: list[str] = []
    async with WireServer() as server:
        model = over(server, Scripted(body=body, cut_at=cut_at), text("Hello"))

        async def show() -> None:
            async for each in model.astream("hi"):
                shown.append(str(each.content))  # noqa: PERF401 - what came before the error counts

        with pytest.raises(BrokenStream, match="cannot take back"):
            await show()

    assert shown == ["Hel"]


async def test_a_stream_that_is_left_early_hangs_up_on_the_server() -> None:
    async with WireServer() as server:
        body = sse(*text_chunks("Hel", "lo"))
        model = over(server, Scripted(body=body, stall_at=body.index(b'"lo"')))

        async with contextlib.aclosing(cast(Any, model.astream("hi"))) as stream:
            first = await anext(stream)
        async with asyncio.timeout(5):
            await server.left.wait()

    assert first.content == "Hel"


async def test_the_router_tells_langchains_tracers_its_route() -> None:
    seen: list[Any] = []

    class Tracer(AsyncCallbackHandler):
        async def on_chat_model_start(
            self, serialized: Any, messages: Any, *, metadata: Any = None, **more: Any
        ) -> None:
            seen.append(metadata)

    one = Router()
    model = one.as_chat_model(one.resolve(FakeListChatModel(responses=["hello"])))

    await model.ainvoke("hi", config={"callbacks": [Tracer()]})

    assert seen[0]["ls_provider"] == "segue"
    assert seen[0]["ls_model_name"] == "FakeListChatModel"


class Verdict(BaseModel):
    """A verdict."""

    ok: bool
    why: str


async def test_structured_output_is_asked_for_as_a_schema_and_parsed() -> None:
    async with WireServer() as server:
        model = over(server, text('{"ok": true, ', '"why": "so"}'), text("no json"))

        found = await model.with_structured_output(Verdict).ainvoke("hi")
        raw = await model.with_structured_output(Verdict, include_raw=True).ainvoke("hi")

    assert found == Verdict(ok=True, why="so")
    assert server.bodies[0]["response_format"]["json_schema"]["schema"]["required"] == ["ok", "why"]
    assert isinstance(raw, dict)
    assert raw["parsed"] is None
    assert raw["parsing_error"] is not None
    assert raw["raw"].content == "no json"


async def test_a_langchain_history_with_tool_results_goes_over_the_wire() -> None:
    calls = [{"name": "find_order", "args": {"order_id": 1}, "id": "c1", "type": "tool_call"}]
    history = [HumanMessage("hi"), AIMessage("", tool_calls=cast(Any, calls)), ToolMessage("found", tool_call_id="c1")]
    async with WireServer() as server:
        model = over(server, text("ok"))

        await model.ainvoke(history, temperature=0.5, max_tokens=9, stop=["X"], seed=3)
        body = server.bodies[0]

    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "tool"]
    assert body["messages"][1]["tool_calls"][0]["id"] == "c1"
    assert (body["temperature"], body["max_tokens"], body["stop"], body["seed"]) == (0.5, 9, ["X"], 3)


async def test_arguments_that_are_no_object_become_an_invalid_tool_call() -> None:
    piece = {"index": 0, "id": "c1", "type": "function", "function": {"name": "find_order", "arguments": "[1"}}
    body = sse(chunk({"tool_calls": [piece]}), chunk({}, finish="tool_calls"))
    async with WireServer() as server:
        message = await over(server, Scripted(body=body)).ainvoke("hi")

    assert message.tool_calls == []
    assert message.invalid_tool_calls[0]["args"] == "[1"


def test_the_router_answers_without_an_event_loop_and_inside_one() -> None:
    one = Router()
    model = one.as_chat_model(one.resolve(FakeListChatModel(responses=["hello"])))

    async def inside() -> Any:
        return model.invoke("hi")

    assert model.invoke("hi").content == "hello"
    assert asyncio.run(inside()).content == "hello"


async def test_a_route_is_the_model_of_a_plain_langgraph_graph() -> None:
    async with WireServer() as server:
        model = over(server, text("from the graph"))

        async def call(state: MessagesState) -> dict[str, Any]:
            return {"messages": [await model.ainvoke(state["messages"])]}

        graph = StateGraph(MessagesState).add_node("call", call).add_edge(START, "call").add_edge("call", END).compile()
        state: Any = {"messages": [HumanMessage("hi")]}
        pieces: list[Any] = [each async for each in graph.astream(state, stream_mode="messages")]

    assert "".join(piece.content for piece, _ in pieces) == "from the graph"


async def test_one_router_can_stand_behind_another_and_its_failure_is_an_attempt() -> None:
    async with WireServer() as server:
        inner = over(server, error_reply(401, "no"))
        outer = Router(deployments={"inner": cast(Any, inner)})

        with pytest.raises(NoDeploymentLeft, match=r"'inner' has nothing left.*refused \(401"):
            await outer.generate(HI)
