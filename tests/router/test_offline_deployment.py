from __future__ import annotations

import json
from typing import Any

from segue.base.messages import tool_result, user
from segue.router import Delta, DeploymentSettings, GenerationRequest, Router, TextDelta, ToolCallDelta

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "find_customer",
            "description": "Find the customer with this e-mail address.",
            "parameters": {
                "type": "object",
                "properties": {"email": {"type": "string", "format": "email"}},
                "required": ["email"],
            },
        },
    }
]


async def test_the_offline_model_is_a_deployment_that_streams_counts_and_costs_nothing() -> None:
    one, deltas = Router(deployments={"offline": DeploymentSettings(engine="offline")}), list[Delta]()

    found = await one.generate(GenerationRequest(messages=[user("write a sonnet")]), on_delta=deltas.append)

    assert found.model == "offline/rules-1"
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == found.message["content"]
    assert len(deltas) > 3
    assert found.usage.cost_usd == 0.0
    assert found.usage.output_tokens > 0


async def test_the_offline_model_calls_a_tool_and_sees_that_it_failed() -> None:
    one, deltas = Router(deployments={"offline": DeploymentSettings(engine="offline")}), list[Delta]()
    asked = [user("Find the customer ann@example.org")]
    first = await one.generate(GenerationRequest(messages=asked, tools=TOOLS), on_delta=deltas.append)
    call = first.message["tool_calls"][0]
    result = tool_result(call["id"], "no such table", name="find_customer", failed=True)

    second = await one.generate(GenerationRequest(messages=[*asked, first.message, result], tools=TOOLS))

    assert json.loads(call["function"]["arguments"]) == {"email": "ann@example.org"}
    assert first.finish_reason == "tool_calls"
    assert isinstance(deltas[-1], ToolCallDelta)
    assert "failed" in str(second.message["content"])
