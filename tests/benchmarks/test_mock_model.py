"""The mock model server speaks what clients of models read, and counts what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from segue import Agent, Workspace, tool
from segue.context.events import TextAdded
from segue.router import DeploymentSettings, Router

ADD = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


@pytest.fixture
def mock_model(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("mock_model")


@pytest.fixture
def mock(mock_model: ModuleType) -> Iterator[Any]:
    with mock_model.serving(drip_ms=1.0) as found:
        yield found


def by_model(mock: Any, model: str) -> Router:
    return Router(deployments={"mock": DeploymentSettings(endpoint=mock.url, engine="openai", model=model)})


async def test_a_run_of_five_rounds_is_six_calls_at_the_server(ws: Workspace, mock: Any) -> None:
    @tool(effect="read")
    async def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    agent = Agent("adder", model=by_model(mock, "toolloop-5"), tools=[add])
    mock.reset()

    run = await ws.run(agent, "Add up.")

    assert (run.output, run.usage.tool_calls) == ("The sum is 5.", 5)
    assert (mock.counts()["calls"], mock.counts()["streamed"]) == (6, 6)


async def test_a_dripping_answer_comes_word_by_word(ws: Workspace, mock: Any) -> None:
    agent = Agent("talker", model=by_model(mock, "drip-30"))

    handle = ws.start(agent, "Talk.")
    pieces = [event.text async for event in handle.events() if isinstance(event, TextAdded)]

    assert len(pieces) > 5
    assert "".join(pieces) == "word " * 30 + "The sum is 5."


async def test_openai_s_sdk_reads_what_is_not_streamed(mock: Any) -> None:
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=mock.url, api_key="none", max_retries=0) as client:
        asked: Any = [{"role": "user", "content": "Add."}]
        tools: Any = [ADD]
        first = await client.chat.completions.create(model="toolloop-1", messages=asked, tools=tools)
        called = first.choices[0].message.tool_calls
        assert called is not None
        asked += [first.choices[0].message, {"role": "tool", "tool_call_id": called[0].id, "content": "1"}]
        last = await client.chat.completions.create(model="toolloop-1", messages=asked, tools=tools)

    assert [each.function.name for each in called if each.type == "function"] == ["add"]
    assert last.choices[0].message.content == "The sum is 5."


def test_requests_that_arrive_in_pieces_are_answered_one_by_one(mock_model: ModuleType) -> None:
    written: list[bytes] = []

    class Transport:
        def write(self, data: bytes) -> None:
            written.append(data)

    connection = mock_model.Connection(mock_model.Counts(), 0.001)
    connection.connection_made(Transport())
    body = json.dumps({"model": "words", "max_tokens": 2, "messages": []}).encode()
    request = b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)

    connection.data_received(request[:30])
    assert written == []
    connection.data_received(request[30:] + request)

    said = [json.loads(data.partition(b"\r\n\r\n")[2])["choices"][0]["message"]["content"] for data in written]
    assert said == ["word word ", "word word "]
