"""The stock OpenAI client: agents and routes as models, whole and streamed, with tools, usage, waits and errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from tests.server.conftest import Serve, Served

from segue.router import RouterCore
from segue.testing import ScriptedModel, call
from segue.testing.script import Script

WEATHER: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"place": {"type": "string"}}}},
}


@pytest.fixture
async def served(serve: Serve) -> Served:
    model = ScriptedModel(Script({"weather": [call("weather", place="Lima")], "hello": ["Good day to you."]}))
    return await serve(router=RouterCore(deployments={"m": model}), login=True)


@pytest.fixture
async def client(served: Served) -> AsyncIterator[openai.AsyncOpenAI]:
    key = await served.key("acme", scopes=("*",))
    async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0) as made:
        yield made


def said(text: str) -> Any:
    return {"role": "user", "content": text}


async def test_agents_and_routes_are_listed_and_retrieved_as_models(client: openai.AsyncOpenAI) -> None:
    found = [each.id async for each in client.models.list()]

    assert {"desk", "route:default"} <= set(found)
    assert (await client.models.retrieve("route:default")).id == "route:default"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("nobody")


@pytest.mark.parametrize(("model", "answer"), [("desk", "Good morning to you."), ("route:default", "Good day to you.")])
async def test_a_chat_is_answered_whole_and_streamed_with_usage(
    client: openai.AsyncOpenAI, model: str, answer: str
) -> None:
    whole = await client.chat.completions.create(model=model, messages=[said("hello")])
    stream = await client.chat.completions.create(
        model=model, messages=[said("hello")], stream=True, stream_options={"include_usage": True}
    )
    chunks = [each async for each in stream]

    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == (answer, "stop")
    assert whole.usage is not None
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens > 0
    assert "".join(each.choices[0].delta.content or "" for each in chunks if each.choices) == answer
    assert [each.choices[0].finish_reason for each in chunks if each.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], whole.usage.total_tokens)


async def test_a_route_is_passed_tools_and_gives_their_calls(client: openai.AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model="route:default", messages=[said("weather?")], tools=[WEATHER])
    stream = await client.chat.completions.create(
        model="route:default", messages=[said("weather?")], tools=[WEATHER], stream=True
    )
    streamed = [each.choices[0].delta.tool_calls async for each in stream if each.choices[0].delta.tool_calls]

    calls = whole.choices[0].message.tool_calls
    assert calls is not None
    assert (calls[0].to_dict()["function"], whole.choices[0].finish_reason) == (
        {"name": "weather", "arguments": '{"place": "Lima"}'},
        "tool_calls",
    )
    assert streamed[0] is not None
    assert streamed[0][0].function is not None
    assert streamed[0][0].function.arguments == '{"place": "Lima"}'


async def test_a_run_that_waits_says_so_and_the_next_message_answers_it(client: openai.AsyncOpenAI) -> None:
    talk = [said("refund it")]
    asked = await client.chat.completions.create(model="desk", messages=talk)
    question = asked.choices[0].message.content or ""
    talk += [{"role": "assistant", "content": question}]

    unclear = await client.chat.completions.create(model="desk", messages=[*talk, said("what?")])
    done = await client.chat.completions.create(model="desk", messages=[*talk, said("Approve")])

    assert "refund" in question
    assert "approve" in question
    assert unclear.choices[0].message.content == question
    assert done.choices[0].message.content == "It is refunded."


async def test_a_thread_that_is_named_is_gone_on_with(client: openai.AsyncOpenAI, served: Served) -> None:
    headers = {"Segue-Thread": "chat-1"}
    first = await client.chat.completions.create(model="desk", messages=[said("hello")], extra_headers=headers)
    talk = [said("hello"), {"role": "assistant", "content": first.choices[0].message.content}, said("hello again")]
    await client.chat.completions.create(model="desk", messages=talk, metadata={"thread_id": "chat-1"})

    reader = served.client(await served.key("acme"))
    messages = (await reader.get("/api/v1/threads/chat-1/messages")).json()["messages"]

    assert [each["content"] for each in messages if each["role"] == "user"] == ["hello", "hello again"]


async def test_errors_have_the_shape_that_the_client_knows(client: openai.AsyncOpenAI, served: Served) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        await client.chat.completions.create(model="nobody", messages=[said("x")])
    with pytest.raises(openai.UnprocessableEntityError):
        await client.chat.completions.create(model="desk", messages=[said("x")], n=3)
    stranger = client.with_options(api_key="sgk_wrong")
    with pytest.raises(openai.AuthenticationError):
        await stranger.models.list()

    assert isinstance(unknown.value.body, dict)
    assert "nobody" in unknown.value.body["message"]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "tool_calls": [{}]},
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {}}}]},
        {"role": "user", "content": [{"type": "text", "text": 5}]},
    ],
)
async def test_what_only_looks_like_a_message_is_refused(client: openai.AsyncOpenAI, message: Any) -> None:
    for model in ("desk", "route:default"):
        with pytest.raises(openai.UnprocessableEntityError):
            await client.chat.completions.create(model=model, messages=[said("hello"), message])
