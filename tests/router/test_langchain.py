from __future__ import annotations

import json
from typing import Any, cast

import pytest
from langchain_core.language_models import BaseChatModel, FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

from segue.base.errors import ConfigError, UserError
from segue.base.messages import assistant, tool_call, tool_result, user
from segue.router import (
    Delta,
    DeploymentSettings,
    GenerationRequest,
    NoDeploymentLeft,
    Router,
    TextDelta,
    ToolCallDelta,
)

HI = GenerationRequest(messages=[user("hi")])
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": "find_order", "description": "d", "parameters": {"type": "object"}}}
]


class CallsTools(BaseChatModel):
    """Streams a tool call in pieces once tools are bound, and counts its tokens."""

    bound: list[Any] = Field(default_factory=list)

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        self.bound.append((tools, kwargs))
        return self.bind(tools=tools)

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        calls = [{"name": "find_order", "args": {"order_id": 7}, "id": "c1", "type": "tool_call"}]
        message = AIMessage(content="Looking.", tool_calls=cast(Any, calls))
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _astream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        pieces = [("find_order", '{"order', "c1"), (None, '_id": 7}', None)]
        yield ChatGenerationChunk(message=AIMessageChunk(content="Looking."))
        for name, args, call_id in pieces if "tools" in kwargs else []:
            part = {"name": name, "args": args, "id": call_id, "index": 0, "type": "tool_call_chunk"}
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=cast(Any, [part])))
        counted = {"input_tokens": 11, "output_tokens": 5, "total_tokens": 16}
        yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=cast(Any, counted)))

    @property
    def _llm_type(self) -> str:
        return "calls-tools"


fake = FakeListChatModel(responses=["from a module"])


def make() -> FakeListChatModel:
    return FakeListChatModel(responses=["from a function"])


async def test_a_langchain_chat_model_is_a_deployment_and_streams() -> None:
    one, deltas = Router(), list[Delta]()
    route = one.resolve(FakeListChatModel(responses=["hello"]))

    found = await one.generate(HI, route=route, on_delta=deltas.append)

    assert found.message["content"] == "hello"
    assert deltas == [TextDelta(letter) for letter in "hello"]
    assert (found.model, found.usage.cost_usd) == ("FakeListChatModel", None)
    assert found.usage.output_tokens > 0


async def test_the_documented_fake_model_keeps_its_tool_calls() -> None:
    calls = [{"name": "find_order", "args": {"order_id": 1}, "id": "c1", "type": "tool_call"}]
    message = AIMessage(content="", tool_calls=cast(Any, calls))
    one, deltas = Router(), list[Delta]()
    route = one.resolve(GenericFakeChatModel(messages=iter([message, "plain"])))

    first = await one.generate(HI, route=route, on_delta=deltas.append)
    second = await one.generate(HI, route=route)

    assert json.loads(first.message["tool_calls"][0]["function"]["arguments"]) == {"order_id": 1}
    assert deltas == [ToolCallDelta(0, "c1", "find_order", '{"order_id": 1}')]
    assert second.message["content"] == "plain"


async def test_tools_are_bound_and_streamed_calls_are_put_together_with_usage_counted() -> None:
    model, deltas = CallsTools(), list[Delta]()
    one = Router()
    history = [user("hi"), assistant(None, [tool_call("f", "{broken", call_id="c1")]), tool_result("c1", "", name="f")]
    request = GenerationRequest(messages=history, tools=TOOLS, tool_choice="any")

    found = await one.generate(request, route=one.resolve(model), on_delta=deltas.append)

    assert model.bound[0][1] == {"tool_choice": "required"}
    call = found.message["tool_calls"][0]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("find_order", {"order_id": 7})
    assert call["id"] != "c1", "the conversation has that id already"
    assert deltas[0] == TextDelta("Looking.")
    assert (found.usage.input_tokens, found.usage.output_tokens) == (11, 5)
    assert found.finish_reason == "tool_calls"


class TextOnly(FakeListChatModel):
    """A model of somebody's that cannot take tools."""


async def test_a_model_that_takes_no_tools_says_so() -> None:
    one = Router()
    route = one.resolve(TextOnly(responses=["x"]))

    with pytest.raises(UserError, match="TextOnly of deployment 'TextOnly' cannot take tools"):
        await one.generate(GenerationRequest(messages=[user("hi")], tools=TOOLS), route=route)


async def test_langchain_s_own_fakes_say_what_they_were_told_to_also_beside_tools() -> None:
    one = Router()
    called = AIMessage(content="", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c1"}])
    route = one.resolve(GenericFakeChatModel(messages=iter([called])))

    found = await one.generate(GenerationRequest(messages=[user("hi")], tools=TOOLS), route=route)

    assert found.message["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 1}'}


async def test_a_failing_chat_model_fails_over() -> None:
    one = Router(deployments={"a": DeploymentSettings(engine="langchain", target=f"{__name__}:fake")})
    broken = one.resolve(FakeListChatModel(responses=["x"], error_on_chunk_number=0))

    with pytest.raises(NoDeploymentLeft, match="FakeListChatModelError"):
        await one.generate(HI, route=broken, on_delta=lambda _: None)


@pytest.mark.parametrize(("attribute", "said"), [("fake", "from a module"), ("make", "from a function")])
async def test_a_target_in_the_settings_is_loaded(attribute: str, said: str) -> None:
    one = Router(deployments={"a": DeploymentSettings(engine="langchain", target=f"{__name__}:{attribute}")})

    found = await one.generate(HI)

    assert found.message["content"] == said


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module:x", "cannot import 'no_such_module'"),
        ("json:nothing", "the module 'json' has no 'nothing'"),
        ("json:__doc__", "is no LangChain chat model but str"),
    ],
)
def test_a_target_that_is_none_is_named(target: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"\[deployments.a\] target '{target}'.*{message}"):
        Router(deployments={"a": DeploymentSettings(engine="langchain", target=target)})
