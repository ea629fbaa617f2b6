"""The chat model's own settings, and callers without an event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from tests.router.reacting_server import reacting
from tests.router.wire_server import Scripted, WireServer, chunk, sse, text, text_chunks

from segue.base.errors import BadInput
from segue.router import DeadlinePassed, DeploymentSettings, Router
from segue.router.apart import items_of, result_of


def over(url: str, **more: Any) -> Router:
    return Router(deployments={"a": DeploymentSettings(endpoint=url, model="m")}, **more)


async def test_what_a_model_is_made_with_is_sent_and_a_call_may_say_otherwise() -> None:
    async with WireServer() as server:
        server.script(text("ok"))
        model = over(server.url, temperature=0.0, max_tokens=7, stop=["END"])

        await model.ainvoke("hi")
        await model.ainvoke("hi", temperature=1.0, max_tokens=8, stop=["STOP"])

    asked = [(body["temperature"], body["max_tokens"], body["stop"]) for body in server.bodies]
    assert asked == [(0.0, 7, ["END"]), (1.0, 8, ["STOP"])]


async def test_its_timeout_is_the_deadline_of_the_whole_generation() -> None:
    async with WireServer() as server:
        server.script(text("hi", stall_at=0))
        with pytest.raises(DeadlinePassed):
            await over(server.url, timeout=0.01).ainvoke("hi")


def test_a_name_that_no_chat_model_takes_is_refused_without_its_value() -> None:
    with pytest.raises(BadInput, match=r"takes no temprature; it takes: .*temperature") as caught:
        Router(temprature="sk-very-secret")

    assert "sk-very-secret" not in str(caught.value)


def test_two_models_that_answer_differently_do_not_share_a_cache() -> None:
    one, other = over("http://127.0.0.1:9/v1"), over("http://127.0.0.1:9/v1", temperature=1.0)
    another = Router(deployments={"a": DeploymentSettings(endpoint="http://127.0.0.1:9/v1", model="another")})

    assert len({each._get_llm_string() for each in (one, other, another)}) == 3


def test_an_unknown_way_to_structured_output_is_refused() -> None:
    with pytest.raises(BadInput, match="no method 'xml'; choose json_schema"):
        Router().with_structured_output({"title": "x", "type": "object"}, method=cast(Any, "xml"))


async def test_a_stream_that_broke_before_its_first_text_starts_over_unseen() -> None:
    thinking = [chunk({"role": "assistant", "reasoning_content": "hm"}), *text_chunks("no")]
    body = sse(*thinking)
    async with WireServer() as server:
        server.script(Scripted(body=body, cut_at=body.index(b'"no"')), text("yes"))

        chunks = [each async for each in over(server.url).astream("hi")]

    assert "".join(str(each.content) for each in chunks) == "yes"


async def test_what_an_answer_says_beside_its_text_does_not_go_back_as_content() -> None:
    parts: list[Any] = [
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "text", "text": "I look."},
        {"type": "tool_call", "id": "c1", "name": "look", "args": {}},
    ]
    history = [HumanMessage("hi"), AIMessage(parts, tool_calls=[{"name": "look", "args": {}, "id": "c1"}])]
    async with WireServer() as server:
        server.script(text("ok"))

        await over(server.url).ainvoke(history)

    assert server.bodies[0]["messages"][1]["content"] == "I look."


def test_without_a_loop_a_stream_gives_its_text_as_it_comes() -> None:
    with reacting() as server:
        chunks = list(over(server.url).stream("Hello"))

    assert len([each for each in chunks if each.content]) > 5
    assert chunks[-1].chunk_position == "last"


async def test_without_awaiting_a_stream_can_be_read_where_a_loop_runs() -> None:
    with reacting() as server:
        chunks = list(over(server.url).stream("Hello"))

    assert "".join(str(each.content) for each in chunks).startswith("Hello to you")


def test_a_stream_that_is_left_is_cancelled_before_its_reader_goes_on() -> None:
    ended = threading.Event()

    async def endless() -> AsyncGenerator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            ended.set()

    for item in items_of(endless()):
        assert item == 1
        break

    assert ended.is_set()


def test_what_a_stream_raises_comes_after_what_it_gave() -> None:
    async def breaks() -> AsyncGenerator[int]:
        yield 1
        raise LookupError("gone")

    items = items_of(breaks())

    assert next(items) == 1
    with pytest.raises(LookupError, match="gone"):
        next(items)


def test_the_callers_context_holds_where_the_loop_runs() -> None:
    place: contextvars.ContextVar[str] = contextvars.ContextVar("place")
    place.set("here")

    async def told() -> str:
        return place.get()

    async def each() -> AsyncGenerator[str]:
        yield place.get()

    assert result_of(told()) == "here"
    assert list(items_of(each())) == ["here"]
