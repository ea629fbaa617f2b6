"""Our deployment on a real vLLM: text, streams, tool calls that fit, cached tokens, typed answers, adapters."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped, unused-ignore]
from tests.vllm.conftest import ADAPTER
from tests.vllm.servers import CONTEXT, VllmServer

from segue.base.messages import user
from segue.router import ContextOverflow, Delta, EndpointRefused, GenerationRequest, TextDelta, ToolCallDelta

SCHEMAS: dict[str, dict[str, Any]] = {
    "find_order": {
        "type": "object",
        "properties": {"number": {"type": "integer"}, "open": {"type": "boolean"}},
        "required": ["number", "open"],
        "additionalProperties": False,
    },
    "set_unit": {
        "type": "object",
        "properties": {"unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
        "required": ["unit"],
        "additionalProperties": False,
    },
    "tag": {
        "type": "object",
        "properties": {
            "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "minItems": 1, "maxItems": 2}
        },
        "required": ["tags"],
        "additionalProperties": False,
    },
}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": f"{name}.", "parameters": schema}}
    for name, schema in SCHEMAS.items()
]


def request(text: str, **more: Any) -> GenerationRequest:
    return GenerationRequest(**{"messages": [user(text)], "max_output_tokens": 400, "temperature": 1.0, **more})


async def test_a_text_arrives_in_deltas_and_whole_and_its_tokens_are_counted(server: VllmServer) -> None:
    deltas: list[Delta] = []
    model = server.deployment()

    reply = await model.generate(
        request("Say something.", max_output_tokens=24, extra={"min_tokens": 24}), on_delta=deltas.append
    )
    await model.aclose()

    texts = [delta.text for delta in deltas if isinstance(delta, TextDelta)]
    assert len(texts) > 5
    assert "".join(texts) == reply.message["content"]
    assert (reply.finish_reason, reply.model) == ("length", "tiny")
    assert reply.usage.output_tokens == 24
    assert reply.usage.input_tokens > 5


@pytest.mark.parametrize("choice", ["required", *SCHEMAS])
async def test_calls_that_must_come_fit_the_schemas_of_their_tools(server: VllmServer, choice: str) -> None:
    model = server.deployment()
    asked = [request(f"Case {number}.", tools=TOOLS, tool_choice=choice) for number in range(8)]

    replies = await asyncio.gather(*(model.generate(each) for each in asked))
    await model.aclose()

    for reply in replies:
        calls = reply.message["tool_calls"]
        assert calls
        assert choice in ("required", calls[0]["function"]["name"])
        for call in calls:
            schema = SCHEMAS[call["function"]["name"]]
            Draft202012Validator(schema).validate(json.loads(call["function"]["arguments"]))


async def test_the_pieces_of_a_call_are_its_arguments(server: VllmServer) -> None:
    deltas: list[Delta] = []
    model = server.deployment()

    reply = await model.generate(request("Now.", tools=TOOLS, tool_choice="set_unit"), on_delta=deltas.append)
    await model.aclose()

    pieces = [delta for delta in deltas if isinstance(delta, ToolCallDelta) and delta.index == 0]
    assert "".join(piece.arguments for piece in pieces) == reply.message["tool_calls"][0]["function"]["arguments"]
    assert pieces[0].name == "set_unit"


async def test_a_model_that_may_choose_is_taken_with_tools(server: VllmServer) -> None:
    model = server.deployment()

    reply = await model.generate(request("Hello.", tools=TOOLS, tool_choice="auto", max_output_tokens=8))
    await model.aclose()

    assert reply.finish_reason in ("stop", "length", "tool_calls")


async def test_a_typed_answer_fits_its_schema(server: VllmServer) -> None:
    model = server.deployment()

    reply = await model.generate(request("Which unit?", output_schema=SCHEMAS["set_unit"]))
    await model.aclose()

    assert json.loads(str(reply.message["content"])) in ({"unit": "celsius"}, {"unit": "fahrenheit"})


async def test_what_was_read_before_is_counted_as_cached(server: VllmServer) -> None:
    model = server.deployment()
    asked = request("A long story that is told twice. " * 60, max_output_tokens=2)

    first = await model.generate(asked)
    second = await model.generate(asked)
    await model.aclose()

    assert first.usage.input_tokens == second.usage.input_tokens
    assert second.usage.cached_tokens >= 128 > first.usage.cached_tokens


async def test_an_adapter_is_a_deployment_of_its_own(server: VllmServer) -> None:
    model = server.deployment(model=ADAPTER)

    reply = await model.generate(request("Hello.", max_output_tokens=8))
    await model.aclose()

    assert reply.model == ADAPTER


async def test_a_conversation_that_is_too_long_and_a_model_that_is_not_there_are_told_apart(server: VllmServer) -> None:
    model, other = server.deployment(), server.deployment(model="other")

    with pytest.raises(ContextOverflow):
        await model.generate(request("word " * CONTEXT))
    with pytest.raises(EndpointRefused, match="404"):
        await other.generate(request("Hello."))
    await model.aclose()
    await other.aclose()
