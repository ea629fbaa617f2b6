from __future__ import annotations

import json
from typing import Any

import pytest
from tests.router.asking import ask, deployment
from tests.router.wire_server import (
    Scripted,
    WireServer,
    chunk,
    sse,
    text,
    text_chunks,
    two_calls,
)

from segue.base.messages import assistant, tool_call, tool_result, user
from segue.router import (
    Delta,
    DeploymentSettings,
    GenerationRequest,
    ReasoningDelta,
)
from segue.router.deployment import HttpDeployment

TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": name, "description": name, "parameters": {"type": "object"}}}
    for name in ("find_order", "find_customer")
]


async def test_the_body_holds_what_the_request_asks_for_and_no_keys_of_ours() -> None:
    request = {
        "messages": [
            user("hi"),
            assistant(None, [tool_call("f", "{broken", call_id="c")]),
            tool_result("c", "", name="f"),
        ],
        "tools": TOOLS,
        "tool_choice": "find_order",
        "output_schema": {"type": "object", "properties": {}},
        "output_name": "reply",
        "max_output_tokens": 50,
        "temperature": 0.0,
        "stop": ["END"],
        "parallel_tool_calls": False,
        "extra": {"seed": 7},
    }
    async with WireServer() as server:
        await ask(server, text("hi"), request=request, max_output_tokens=40)
        body = server.bodies[0]

    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    keys = {"role", "content", "tool_calls", "tool_call_id", "name"}
    assert all(set(message) <= keys for message in body["messages"])
    assert json.loads(body["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {"not_json": "{broken"}
    assert [tool["function"]["name"] for tool in body["tools"]] == ["find_customer", "find_order"]
    assert all(tool["function"]["strict"] for tool in body["tools"])
    assert body["tool_choice"] == {"type": "function", "function": {"name": "find_order"}}
    assert body["response_format"]["json_schema"]["name"] == "reply"
    assert (body["max_tokens"], body["temperature"], body["stop"]) == (40, 0.0, ["END"])
    assert (body["parallel_tool_calls"], body["seed"]) == (False, 7)


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
async def test_reasoning_is_kept_and_goes_back_within_its_turn_only(field: str) -> None:
    chunks = [chunk({field: "Let me "}), chunk({field: "see."}), *two_calls()]
    deltas: list[Delta] = []
    async with WireServer() as server:
        server.script(Scripted(body=sse(*chunks)), text("done"))
        model = deployment(server, engine="openai")
        asked = [user("hi")]
        reply = await model.generate(GenerationRequest(messages=asked), on_delta=deltas.append)
        results = [tool_result(call["id"], "ok", name="x") for call in reply.message["tool_calls"]]

        await model.generate(GenerationRequest(messages=[*asked, reply.message, *results]))
        await model.generate(GenerationRequest(messages=[*asked, reply.message, *results, user("and now?")]))
        other = HttpDeployment("other", DeploymentSettings(endpoint=server.url, model="m"))
        await other.generate(GenerationRequest(messages=[*asked, reply.message, *results]))

    assert [delta.text for delta in deltas if isinstance(delta, ReasoningDelta)] == ["Let me ", "see."]
    within, after, elsewhere = (body["messages"][1] for body in server.bodies[1:])
    assert within[field] == "Let me see."
    assert field not in after
    assert field not in elsewhere


async def test_signed_reasoning_parts_are_joined_by_their_index() -> None:
    details = [
        {"type": "reasoning.text", "text": "Let ", "index": 0},
        {"type": "reasoning.text", "text": "me", "index": 0, "signature": "s1"},
    ]
    chunks = [chunk({"reasoning_details": [detail]}) for detail in details]
    async with WireServer() as server:
        reply = await ask(server, Scripted(body=sse(*chunks, *text_chunks("hi"))))

    part = {"type": "reasoning.text", "text": "Let me", "index": 0, "signature": "s1", "by": "local"}
    assert reply.message["reasoning"] == [part]
