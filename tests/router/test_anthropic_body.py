from __future__ import annotations

import json
from typing import Any

import pytest
from tests.router.anthropic_server import (
    AnthropicServer,
    complaints,
    end,
    events,
    says,
    start,
    text_block,
    tool_block,
)
from tests.router.asking_anthropic import ask, deployment
from tests.router.wire_server import Scripted

from segue.base.messages import Message, assistant, enter, system, tool_call, tool_result, user
from segue.router import Delta, DeploymentSettings, EndpointRefused, GenerationRequest, TextDelta
from segue.router.anthropic.body import build_body

TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": name, "description": name, "parameters": {"type": "object"}}}
    for name in ("find_order", "find_customer")
]
MARK = {"type": "ephemeral"}
CLOSED = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 1}, "who": {"$ref": "#/$defs/Who"}},
    "$defs": {"Who": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 9}}}},
    "required": ["n"],
}
RECURSIVE = {
    "type": "object",
    "properties": {"t": {"$ref": "#/$defs/T"}},
    "$defs": {"T": {"type": "object", "properties": {"t": {"$ref": "#/$defs/T"}}}},
}
OPEN = {"type": "object", "additionalProperties": {"type": "integer"}}


def body_of(*messages: Message, model: str = "claude-scripted", **asked: Any) -> dict[str, Any]:
    settings = DeploymentSettings(engine="anthropic", model=model)
    body = build_body(GenerationRequest(messages=messages, **asked), settings, deployment="claude")
    assert list(complaints(body)) == []
    return body


def with_parts(*parts: dict[str, Any]) -> Message:
    return enter({"role": "user", "content": list(parts)})


async def test_the_request_arrives_as_the_api_wants_it() -> None:
    request = {
        "messages": [
            system("Be brief."),
            user("hi"),
            assistant("Let me look.", [tool_call("f", "{broken", call_id="functions.f:0"), tool_call("f", "[1]")]),
        ],
        "tools": TOOLS,
        "tool_choice": "find_order",
        "max_output_tokens": 50,
        "temperature": 0.0,
        "stop": ["END"],
        "parallel_tool_calls": False,
        "extra": {"top_k": 5, "seed": 7, "reasoning_effort": "high"},
    }
    first, second = request["messages"][2]["tool_calls"]  # type: ignore[index]
    request["messages"] += [  # type: ignore[operator]
        tool_result(first["id"], "", name="f"),
        tool_result(second["id"], "no such thing", name="f", failed=True),
        user("and?"),
    ]
    async with AnthropicServer() as server:
        await ask(server, says("hi"), request=request, max_output_tokens=40)
        (body,) = server.bodies

    assert body["system"] == [{"type": "text", "text": "Be brief.", "cache_control": MARK}]
    said, first_use, second_use = body["messages"][1]["content"]
    assert said == {"type": "text", "text": "Let me look."}
    assert first_use == {"type": "tool_use", "id": "functions_f_0", "name": "f", "input": {"not_json": "{broken"}}
    assert second_use["input"] == {"no_object": [1]}
    results = body["messages"][2]["content"]
    assert results[0] == {"type": "tool_result", "tool_use_id": "functions_f_0"}
    assert (results[1]["content"], results[1]["is_error"]) == ("no such thing", True)
    assert results[2] == {"type": "text", "text": "and?", "cache_control": MARK}
    assert [tool["name"] for tool in body["tools"]] == ["find_customer", "find_order"]
    assert body["tools"][1]["cache_control"] == MARK
    assert body["tool_choice"] == {"type": "tool", "name": "find_order", "disable_parallel_tool_use": True}
    assert (body["max_tokens"], body["temperature"], body["stop_sequences"], body["top_k"]) == (40, 0.0, ["END"], 5)
    assert body["output_config"] == {"effort": "high"}
    assert body["stream"] is True
    assert "seed" not in body


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ("any", {"type": "any"}),
        ({"type": "function", "function": {"name": "find_order"}}, {"type": "tool", "name": "find_order"}),
        (None, None),
    ],
)
def test_a_tool_choice_is_said_in_its_words(choice: Any, sent: Any) -> None:
    assert body_of(user("hi"), tools=TOOLS, tool_choice=choice).get("tool_choice") == sent


def test_without_a_limit_there_is_a_default() -> None:
    assert body_of(user("hi"))["max_tokens"] == 32_000


def test_a_forced_tool_and_a_temperature_give_way_or_make_way_for_thinking() -> None:
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}}

    forced = body_of(user("hi"), tools=TOOLS, tool_choice="required", temperature=0.5, extra=thinking)
    free = body_of(user("hi"), tools=TOOLS, temperature=0.5, extra=thinking)

    assert ("thinking" in forced, forced["temperature"]) == (False, 0.5)
    assert ("thinking" in free, "temperature" in free) == (True, False)


def test_tools_that_were_called_are_declared_where_none_are_given() -> None:
    body = body_of(user("hi"), assistant(None, [tool_call("f", {}, call_id="c")]), tool_result("c", "1", name="f"))

    assert [tool["name"] for tool in body["tools"]] == ["f"]
    assert body["tool_choice"] == {"type": "none"}


def test_instructions_alone_are_said_by_somebody_and_an_answer_does_not_come_first() -> None:
    alone = body_of(system("Say hello."))
    late = body_of(assistant("Hello."), user("hi"))

    assert [block["text"] for block in alone["messages"][0]["content"]] == ["Say hello."]
    assert "system" not in alone
    assert [turn["role"] for turn in late["messages"]] == ["user", "assistant", "user"]


def test_a_system_message_in_mid_conversation_is_marked_in_the_users_turn() -> None:
    body = body_of(system("A."), user("hi"), assistant("yes"), system("B."), user("go"))

    assert [block["text"] for block in body["system"]] == ["A."]
    assert [block["text"] for block in body["messages"][2]["content"]] == ["<system>\nB.\n</system>", "go"]


def test_empty_messages_are_no_empty_blocks() -> None:
    body = body_of(user(" "), assistant(""), user("x"))

    assert [turn["role"] for turn in body["messages"]] == ["user"]
    assert [block["text"] for block in body["messages"][0]["content"]] == ["(no text)", "x"]


def test_a_note_stands_behind_the_prefix_that_is_cached() -> None:
    note: Message = {"role": "system", "content": "7 steps are left.", "note": True}

    *_, last = body_of(user("hi"), assistant("yes"), user("go"), note)["messages"][-1]["content"]
    body = body_of(user("hi"), assistant("yes"), user("go"), note)

    assert body["messages"][-1]["content"] == [
        {"type": "text", "text": "go", "cache_control": MARK},
        {"type": "text", "text": "7 steps are left."},
    ]
    assert "cache_control" not in last


def test_what_one_request_marks_the_next_one_begins_with() -> None:
    history = [system("Be brief."), user("hi")]
    further = [*history, assistant(None, [tool_call("find_order", {}, call_id="c")]), tool_result("c", "1", name="f")]

    one, two = body_of(*history, tools=TOOLS), body_of(*further, tools=TOOLS)

    for body in (one, two):
        for block in [*body["system"], *body["tools"], *(b for turn in body["messages"] for b in turn["content"])]:
            block.pop("cache_control", None)
    assert (one["system"], one["tools"]) == (two["system"], two["tools"])
    assert two["messages"][: len(one["messages"])] == one["messages"]


def test_images_and_documents_go_as_data_or_as_addresses() -> None:
    body = body_of(
        with_parts(
            {"type": "text", "text": "Look:"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
            {"type": "image_url", "image_url": "https://example.org/a.png"},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}},
            {"type": "image_url", "image_url": {"url": "data:image/svg+xml,%3Csvg%2F%3E"}},
        )
    )

    _, png, far, pdf, svg = body["messages"][0]["content"]
    assert png == {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    assert far == {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    assert (pdf["type"], pdf["source"]["media_type"]) == ("document", "application/pdf")
    assert svg["source"]["data"] == "PHN2Zy8+"


def test_an_image_in_a_tool_result_stays_in_it() -> None:
    result = tool_result("c", "", name="f")
    result["content"] = [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]

    body = body_of(user("hi"), assistant(None, [tool_call("f", {}, call_id="c")]), result)

    assert body["messages"][2]["content"][0]["content"][0]["type"] == "image"


def test_a_part_that_the_api_does_not_know_lets_another_deployment_answer() -> None:
    with pytest.raises(EndpointRefused, match="cannot take a part of type 'input_audio'") as caught:
        body_of(with_parts({"type": "input_audio", "input_audio": {}}))

    assert caught.value.elsewhere


def test_a_schema_goes_where_the_api_keeps_to_it_and_bounds_are_told() -> None:
    body = body_of(user("hi"), output_schema=CLOSED, extra={"output_config": {"effort": "low"}})

    schema = body["output_config"]["format"]["schema"]
    assert body["output_config"]["effort"] == "low"
    assert schema["properties"]["n"] == {"type": "integer", "description": '{"minimum":1}'}
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Who"]["properties"]["name"]["description"] == '{"maxLength":9}'
    assert "tools" not in body


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        ("claude-scripted", OPEN),
        ("claude-sonnet-4-20250514", CLOSED),
        ("claude-3-5-haiku-20241022", CLOSED),
        ("somebody-elses", CLOSED),
        ("claude-scripted", RECURSIVE),
        ("claude-scripted", {"type": "object", "properties": {"x": {}}, "additionalProperties": False}),
    ],
)  # fmt: skip
def test_other_schemas_and_models_are_asked_by_a_tool_that_must_be_called(model: str, schema: dict[str, Any]) -> None:
    body = body_of(user("hi"), model=model, output_schema=schema, output_name="the reply")

    assert body["tool_choice"] == {"type": "tool", "name": "the_reply"}
    assert "output_config" not in body


def test_beside_tools_a_schema_that_cannot_be_kept_to_is_left_to_whoever_asked() -> None:
    body = body_of(user("hi"), tools=TOOLS, output_schema=OPEN)

    assert [tool["name"] for tool in body["tools"]] == ["find_customer", "find_order"]
    assert "output_config" not in body
    assert "tool_choice" not in body


async def test_the_input_of_the_answers_tool_is_the_text() -> None:
    deltas: list[Delta] = []
    stream = [start(), *tool_block(0, "toolu_a", "answer", '{"n"', ': {"ü": 1}}'), *end("tool_use")]
    async with AnthropicServer() as server:
        server.script(Scripted(body=events(*stream)))
        request = GenerationRequest(messages=[user("hi")], output_schema=OPEN)
        reply = await deployment(server).generate(request, on_delta=deltas.append)

    assert reply.message["content"] == '{"n": {"ü": 1}}'
    assert "tool_calls" not in reply.message
    assert reply.finish_reason == "stop"
    assert deltas == [TextDelta('{"n"'), TextDelta(': {"ü": 1}}')]


async def test_an_answer_that_is_no_object_is_wrapped_and_unwrapped() -> None:
    deltas: list[Delta] = []
    schema = {"type": "array", "items": {"$ref": "#/$defs/N"}, "$defs": {"N": {"type": "integer"}}}
    stream = [start(), *tool_block(0, "toolu_a", "answer", '{"value": [1', ", 2]}"), *end("tool_use")]
    async with AnthropicServer() as server:
        server.script(Scripted(body=events(*stream)))
        request = GenerationRequest(messages=[user("hi")], output_schema=schema)
        reply = await deployment(server).generate(request, on_delta=deltas.append)
        (tool,) = server.bodies[0]["tools"]

    assert json.loads(str(reply.message["content"])) == [1, 2]
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == reply.message["content"]
    assert tool["input_schema"]["properties"]["value"]["items"] == {"$ref": "#/$defs/N"}
    assert "N" in tool["input_schema"]["$defs"]


async def test_a_schema_in_the_format_gives_its_text_as_it_comes() -> None:
    async with AnthropicServer() as server:
        stream = events(start(), *text_block(0, '{"n": 1}'), *end())
        reply = await ask(server, Scripted(body=stream), request={"output_schema": CLOSED})

    assert reply.message["content"] == '{"n": 1}'
