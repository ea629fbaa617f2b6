from __future__ import annotations

from typing import Any

import pytest
from openai import AsyncOpenAI
from tests.router.asking import calls_of
from tests.router.responses_server import (
    ResponsesServer,
    begin,
    call_item,
    events,
    reasoning_item,
    response,
    says,
    stream_of,
    text_item,
    two_calls,
)
from tests.router.wire_server import Scripted, error_reply, json_reply

from segue.base.messages import assistant, enter, system, tool_call, tool_result, user
from segue.router import (
    BadRequest,
    BrokenStream,
    ContextOverflow,
    Delta,
    DeploymentSettings,
    EndpointFailed,
    EndpointRefused,
    GenerationRequest,
    RateLimited,
    ReasoningDelta,
    Reply,
    SdkDeployment,
    TextDelta,
    ToolCallDelta,
)

BOTH_CALLS = [("find_customer", {"email": "ann@müller.example"}), ("find_order", {"order_id": 1042})]
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": name, "description": name, "parameters": {"type": "object"}}}
    for name in ("find_order", "find_customer")
]
NOBODYS_PIECE = {"type": "response.function_call_arguments.delta", "output_index": 5, "delta": ""}


def deployment(server: ResponsesServer, name: str = "sdk", **more: Any) -> SdkDeployment:
    settings = {"endpoint": server.url, "model": "gpt-5", "transport": "sdk", "api": "responses", **more}
    return SdkDeployment(name, None, DeploymentSettings(**settings))


async def ask(server: ResponsesServer, *replies: Scripted, request: dict[str, Any] | None = None, **more: Any) -> Reply:
    server.script(*replies)
    model = deployment(server, **more)
    try:
        return await model.generate(GenerationRequest(**{"messages": [user("hi")], **(request or {})}))
    finally:
        await model.aclose()


async def test_reasoning_text_and_parallel_calls_become_one_message() -> None:
    deltas: list[Delta] = []
    async with ResponsesServer() as server:
        server.script(Scripted(body=events(*two_calls())))
        model = deployment(server)
        reply = await model.generate(GenerationRequest(messages=[user("hi")]), on_delta=deltas.append)
        await model.aclose()

    assert calls_of(reply.message) == BOTH_CALLS
    assert [call["id"] for call in reply.message["tool_calls"]] == ["call_a", "call_b"]
    assert reply.message["content"] == "Zwei Blicke… 早 🙂"
    (thought,) = reply.message["reasoning"]
    assert (thought["encrypted_content"], thought["by"], thought["at"]) == ("secret 0", "sdk", 0)
    assert (reply.finish_reason, reply.model) == ("tool_calls", "gpt-scripted-1")
    usage = reply.usage
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.reasoning_tokens) == (100, 64, 20, 3)
    assert [delta.text for delta in deltas if isinstance(delta, ReasoningDelta)] == ["Hmm, ", "früh 🙂"]
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == ["Zwei Blicke… ", "早 🙂"]
    second = [delta for delta in deltas if isinstance(delta, ToolCallDelta) and delta.index == 1]
    assert [(delta.name, delta.id) for delta in second] == [("find_order", "call_b"), ("", "call_b"), ("", "call_b")]
    assert "".join(delta.arguments for delta in second) == '{"order_id": 1042}'


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.long), 17])
async def test_a_stream_cut_at_any_byte_is_whole_or_an_error_and_never_a_part(step: int) -> None:
    body = events(*two_calls())
    offsets = [*range(0, len(body) - 50, step), *range(len(body) - 50, len(body) + 1)]
    async with ResponsesServer() as server:
        server.replies.append(Scripted(body=body))
        model = deployment(server)
        whole: list[int] = []

        for cut_at in offsets:
            server.replies[0] = Scripted(body=body, cut_at=cut_at)
            try:
                reply = await model.generate(GenerationRequest(messages=[user("hi")]))
            except (BrokenStream, EndpointFailed):
                continue
            assert calls_of(reply.message) == BOTH_CALLS, f"cut at byte {cut_at}"
            whole.append(cut_at)
        await model.aclose()

    assert whole == [len(body)], "only what ends with response.completed is whole, even when the line drops then"


async def test_the_request_arrives_as_the_api_wants_it() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    request = {
        "messages": [
            system("Be brief."),
            enter({"role": "user", "content": [{"type": "text", "text": "hi"}, picture]}),
            assistant("Let me look.", [tool_call("f", "{broken", call_id="c")]),
            tool_result("c", "none", name="f"),
        ],
        "tools": TOOLS,
        "tool_choice": "find_order",
        "output_schema": schema,
        "output_name": "reply",
        "max_output_tokens": 50,
        "temperature": 0.0,
        "parallel_tool_calls": False,
        "extra": {"reasoning_effort": "low", "seed": 7, "top_p": 0.5},
    }
    async with ResponsesServer() as server:
        await ask(server, says("hi"), request=request, max_output_tokens=40)
        (body,) = server.bodies

    assert body["input"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "hi"},
                {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "auto"},
            ],
        },
        {"role": "assistant", "content": "Let me look."},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"not_json":"{broken"}'},
        {"type": "function_call_output", "call_id": "c", "output": "none"},
    ]
    assert [(tool["name"], tool["strict"]) for tool in body["tools"]] == [
        ("find_customer", False),
        ("find_order", False),
    ]
    assert body["tool_choice"] == {"type": "function", "name": "find_order"}
    assert body["text"] == {"format": {"type": "json_schema", "name": "reply", "schema": schema, "strict": False}}
    assert (body["max_output_tokens"], body["temperature"], body["parallel_tool_calls"]) == (40, 0.0, False)
    assert (body["store"], body["include"]) == (False, ["reasoning.encrypted_content"])
    assert (body["reasoning"], body["top_p"]) == ({"effort": "low"}, 0.5)


async def test_models_that_do_not_reason_are_not_asked_for_reasoning() -> None:
    async with ResponsesServer() as server:
        await ask(server, says("hi"), model="gpt-4.1")

    assert "include" not in server.bodies[0]


async def test_reasoning_goes_back_in_its_place_within_its_turn_to_the_deployment_that_wrote_it() -> None:
    made = [
        reasoning_item("a", at=0),
        call_item("call_a", "f", "{}", at=1),
        reasoning_item("b", at=2),
        call_item("call_b", "f", "{}", at=3),
    ]
    async with ResponsesServer() as server:
        server.script(Scripted(body=events(*stream_of(*made))), says("done"))
        model, another = deployment(server), deployment(server, name="another")
        asked = [user("hi")]
        reply = await model.generate(GenerationRequest(messages=asked))
        history = [*asked, reply.message, *(tool_result(c["id"], "ok", name="f") for c in reply.message["tool_calls"])]

        await model.generate(GenerationRequest(messages=history))
        await model.generate(GenerationRequest(messages=[*history, assistant("ok"), user("more")]))
        await another.generate(GenerationRequest(messages=history))
        await model.aclose()
        await another.aclose()

    kinds = [[item.get("type", item.get("role")) for item in body["input"]] for body in server.bodies[1:]]
    assert kinds[0][1:5] == ["reasoning", "function_call", "reasoning", "function_call"]
    assert server.bodies[1]["input"][1] == made[0][1]
    assert "reasoning" not in kinds[1]
    assert "reasoning" not in kinds[2]


@pytest.mark.parametrize(
    ("why", "ours"), [("max_output_tokens", "length"), ("content_filter", "content_filter"), ("other", "other")]
)
async def test_an_incomplete_response_says_why(why: str, ours: str) -> None:
    stream = stream_of(text_item("Hel"), status="incomplete", incomplete_details={"reason": why})
    async with ResponsesServer() as server:
        reply = await ask(server, Scripted(body=events(*stream)))

    assert (reply.message["content"], reply.finish_reason) == ("Hel", ours)


async def test_a_call_that_the_token_limit_cut_off_is_left_out_and_other_broken_json_is_kept() -> None:
    made = [call_item("a", "f", '{"n": 1}', at=0), call_item("b", "g", '{"m": ', at=1)]
    limit = {"reason": "max_output_tokens"}
    async with ResponsesServer() as server:
        cut = await ask(server, Scripted(body=events(*stream_of(*made, status="incomplete", incomplete_details=limit))))
        server.replies.clear()
        kept = await ask(server, Scripted(body=events(*stream_of(*made))))

    assert [call["function"]["name"] for call in cut.message["tool_calls"]] == ["f"]
    assert [call["function"]["arguments"] for call in kept.message["tool_calls"]] == ['{"n": 1}', '{"m": ']


async def test_a_finished_response_that_repeats_nothing_is_what_was_streamed() -> None:
    streamed, _ = call_item("call_a", "f", '{"n": 1}')
    last = {"type": "response.completed", "response": response("completed", [])}
    async with ResponsesServer() as server:
        reply = await ask(server, Scripted(body=events(*begin(), *streamed, last)))

    assert calls_of(reply.message) == [("f", {"n": 1})]
    assert reply.finish_reason == "tool_calls"


async def test_a_refusal_is_the_text() -> None:
    part = {"type": "refusal", "refusal": "I will not."}
    item = {"type": "message", "id": "m", "role": "assistant", "content": [part]}
    delta = {"type": "response.refusal.delta", "output_index": 0, "delta": "I will not."}
    async with ResponsesServer() as server:
        reply = await ask(server, Scripted(body=events(*stream_of(([delta], item)))))

    assert reply.message["content"] == "I will not."


async def test_a_response_that_is_not_streamed_is_taken_all_the_same() -> None:
    async with ResponsesServer() as server:
        reply = await ask(server, json_reply(response("completed", [text_item("Hi")[1]])))

    assert (reply.message["content"], reply.usage.input_tokens) == ("Hi", 100)


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        ("server_error", EndpointFailed),
        ("rate_limit_exceeded", RateLimited),
        ("invalid_prompt", BadRequest),
        ("context_length_exceeded", ContextOverflow),
        ("something_new", BrokenStream),
    ],
)
@pytest.mark.parametrize("by_event", ["response.failed", "error"])
async def test_a_failure_in_mid_stream_is_what_its_code_says(code: str, ours: type[Exception], by_event: str) -> None:
    error = {"code": code, "message": "it says so"}
    last: dict[str, Any] = {"type": "response.failed", "response": response("failed", [], error=error)}
    if by_event == "error":
        last = {"type": "error", **error, "param": None}
    async with ResponsesServer() as server:
        with pytest.raises(ours, match="it says so") as caught:
            await ask(server, Scripted(body=events(*begin(), *text_item("Hel")[0], last)))

    assert caught.type is ours


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error_reply(401, "no"), EndpointRefused),
        (error_reply(400, "wrong"), BadRequest),
        (error_reply(400, "Your input exceeds the context window of this model."), ContextOverflow),
        (error_reply(500, "boom"), EndpointFailed),
        (Scripted(body=events(*two_calls()[:-1])), BrokenStream),
        (Scripted(body=events({"type": "response.output_text.delta", "delta": 7})), EndpointFailed),
        (Scripted(body=events({"type": "response.output_item.done", "output_index": 0, "item": 7})), EndpointFailed),
        (Scripted(body=events(NOBODYS_PIECE)), EndpointFailed),
        (Scripted(body=events({"type": "response.completed", "response": {"output": [7]}})), EndpointFailed),
    ],
)  # fmt: skip
async def test_each_failure_has_its_kind(reply: Scripted, kind: type[Exception]) -> None:
    async with ResponsesServer() as server:
        with pytest.raises(kind) as caught:
            await ask(server, reply)

    assert caught.type is kind


async def test_what_the_api_does_not_have_lets_another_deployment_answer() -> None:
    sound = enter({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]})
    async with ResponsesServer() as server:
        for request in ({"stop": ["END"]}, {"messages": [sound]}):
            with pytest.raises(EndpointRefused) as caught:
                await ask(server, says("never"), request=request)
            assert caught.value.elsewhere

    assert server.requests == []


async def test_an_azure_resource_is_asked_for_its_own_name_of_the_model() -> None:
    async with ResponsesServer() as server:
        await ask(server, says("hi"), endpoint=server.base, api_version="2025-04-01-preview", azure_deployment="ours")

    assert server.requests[0].path == "/openai/responses?api-version=2025-04-01-preview"
    assert server.bodies[0]["model"] == "ours"


async def test_the_stock_client_reads_what_the_scripted_server_sends() -> None:
    async with ResponsesServer() as server:
        server.script(Scripted(body=events(*two_calls())))
        client: Any = AsyncOpenAI(base_url=server.url, api_key="x", max_retries=0)
        said = [{"role": "user", "content": "hi"}]
        seen = [event async for event in await client.responses.create(model="m", input=said, stream=True)]
        await client.close()

    whole = seen[-1].response
    assert whole.output_text == "Zwei Blicke… 早 🙂"
    assert [item.type for item in whole.output] == ["reasoning", "message", "function_call", "function_call"]
    assert whole.usage.input_tokens_details.cached_tokens == 64
