from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from tests.router.wire_server import (
    Scripted,
    WireServer,
    call_piece,
    chunk,
    error_reply,
    json_reply,
    sse,
    text,
    text_chunks,
    two_calls,
    usage_chunk,
)

from segue.base.errors import ConfigError
from segue.base.messages import Message, assistant, tool_call, tool_result, user
from segue.router import (
    BadRequest,
    BrokenStream,
    ContextOverflow,
    DeadlinePassed,
    Delta,
    DeploymentSettings,
    EndpointFailed,
    EndpointRefused,
    EndpointTimeout,
    EndpointUnreachable,
    GenerationRequest,
    RateLimited,
    ReasoningDelta,
    Reply,
    TextDelta,
    ToolCallDelta,
)
from segue.router.deployment import HttpDeployment

TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": name, "description": name, "parameters": {"type": "object"}}}
    for name in ("find_order", "find_customer")
]


def deployment(server: WireServer, **more: Any) -> HttpDeployment:
    settings = {"endpoint": server.url, "model": "scripted", "engine": "vllm", **more}
    return HttpDeployment("local", DeploymentSettings(**settings))


async def ask(server: WireServer, *replies: Scripted, request: dict[str, Any] | None = None, **more: Any) -> Reply:
    server.script(*replies)
    asked = GenerationRequest(**{"messages": [user("hi")], **(request or {})})
    return await deployment(server, **more).generate(asked)


def calls_of(message: Message) -> list[tuple[str, Any]]:
    return [
        (call["function"]["name"], json.loads(call["function"]["arguments"])) for call in message.get("tool_calls", ())
    ]


BOTH_CALLS = [("find_customer", {"email": "ann@müller.example"}), ("find_order", {"order_id": 1042})]


async def test_text_arrives_in_deltas_and_whole_with_usage_and_the_servers_model_name() -> None:
    deltas: list[Delta] = []
    async with WireServer() as server:
        server.script(text("Hel", "lo"))

        reply = await deployment(server).generate(GenerationRequest(messages=[user("hi")]), on_delta=deltas.append)

    assert deltas == [TextDelta("Hel"), TextDelta("lo")]
    assert reply.message["content"] == "Hello"
    assert reply.message["id"].startswith("msg_")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (100, 20)
    assert (reply.usage.cached_tokens, reply.usage.reasoning_tokens, reply.usage.model_calls) == (64, 3, 1)
    assert reply.usage.cost_usd is None
    assert (reply.model, reply.finish_reason) == ("scripted-1", "stop")
    assert reply.first_token_s is not None


async def test_interleaved_pieces_become_two_whole_tool_calls() -> None:
    deltas: list[Delta] = []
    async with WireServer() as server:
        server.script(Scripted(body=sse(*two_calls())))

        reply = await deployment(server).generate(GenerationRequest(messages=[user("hi")]), on_delta=deltas.append)

    assert calls_of(reply.message) == BOTH_CALLS
    assert [call["id"] for call in reply.message["tool_calls"]] == ["call_a", "call_b"]
    assert reply.message["content"] == "Zwei Blicke… 早 🙂"
    assert reply.finish_reason == "tool_calls"
    pieces = [delta.arguments for delta in deltas if isinstance(delta, ToolCallDelta) and delta.index == 1]
    assert "".join(pieces) == '{"order_id": 1042}'


async def test_a_stream_cut_at_any_byte_is_whole_or_an_error_and_never_a_part() -> None:
    body = sse(*two_calls())
    said_its_end = body.index(b'"finish_reason": "tool_calls"')
    async with WireServer() as server:
        server.replies.append(Scripted(body=body))
        model = deployment(server)
        outcomes: list[tuple[int, str]] = []

        for cut_at in range(len(body)):
            server.replies[0] = Scripted(body=body, cut_at=cut_at)
            try:
                reply = await model.generate(GenerationRequest(messages=[user("hi")]))
            except (BrokenStream, EndpointFailed):
                outcomes.append((cut_at, "error"))
            else:
                assert calls_of(reply.message) == BOTH_CALLS, f"cut at byte {cut_at}"
                outcomes.append((cut_at, "whole"))
        await model.aclose()

    whole = [cut_at for cut_at, outcome in outcomes if outcome == "whole"]
    assert whole, "no cut was survived although the answer had ended"
    assert min(whole) > said_its_end
    assert whole == list(range(min(whole), len(body))), "between two cuts that were whole, one was not"


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
async def test_a_stream_in_single_bytes_with_any_line_end_reads_the_same(newline: bytes) -> None:
    body = b": keep-alive" + newline + newline + sse(*two_calls(), newline=newline)
    async with WireServer() as server:
        reply = await ask(server, Scripted(body=body, piece=1))

    assert calls_of(reply.message) == BOTH_CALLS


async def test_an_answer_without_done_is_whole_when_it_said_why_it_ended() -> None:
    async with WireServer() as server:
        reply = await ask(server, Scripted(body=sse(*text_chunks("Hello"), done=False)))

    assert reply.message["content"] == "Hello"


async def test_an_answer_that_ends_without_saying_so_is_broken() -> None:
    chunks = [chunk({"role": "assistant", "content": "Hel"})]
    async with WireServer() as server:
        with pytest.raises(BrokenStream, match="without saying that it was whole"):
            await ask(server, Scripted(body=sse(*chunks, done=False)))


async def test_a_finish_reason_abort_is_a_failure() -> None:
    async with WireServer() as server:
        with pytest.raises(BrokenStream, match="abort"):
            await ask(server, Scripted(body=sse(*text_chunks("Hel", finish="abort"))))


async def test_an_error_in_mid_stream_is_a_failure_with_the_servers_words() -> None:
    error = b'data: {"error": {"message": "EngineCore encountered an issue", "code": 500}}'
    async with WireServer() as server:
        with pytest.raises(EndpointFailed, match="EngineCore encountered an issue"):
            await ask(server, Scripted(body=sse(chunk({"content": "Hel"}), error)))


async def test_an_error_event_counts_as_an_error_even_with_a_plain_message() -> None:
    event = b'event: error\ndata: {"message": "overloaded"}'
    async with WireServer() as server:
        with pytest.raises(BrokenStream, match="overloaded"):
            await ask(server, Scripted(body=sse(event)))


async def test_what_is_no_json_is_a_failure_that_shows_it() -> None:
    async with WireServer() as server:
        with pytest.raises(EndpointFailed, match="<html>"):
            await ask(server, Scripted(body=sse(b"data: <html>")))


@pytest.mark.parametrize(
    "delta", [{"content": 7}, {"tool_calls": [7]}, {"tool_calls": [{"function": "f"}]}, ["x"], "x"]
)
async def test_chunks_of_the_wrong_shape_are_a_failure_and_no_crash(delta: Any) -> None:
    async with WireServer() as server:
        with pytest.raises(EndpointFailed, match="no chat completion"):
            await ask(server, Scripted(body=sse(chunk(delta), chunk({}, finish="stop"))))


async def test_an_answer_that_is_not_streamed_is_taken_all_the_same() -> None:
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "x", "type": "function", "function": {"name": "find_order", "arguments": '{"order_id": 1}'}}
        ],
    }
    data = {"model": "plain", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    async with WireServer() as server:
        reply = await ask(server, json_reply({**data, "usage": {"prompt_tokens": 5, "completion_tokens": 2}}))

    assert calls_of(reply.message) == [("find_order", {"order_id": 1})]
    assert (reply.model, reply.usage.input_tokens) == ("plain", 5)


async def test_a_server_that_counts_nothing_gets_an_estimate_without_a_cost() -> None:
    async with WireServer() as server:
        reply = await ask(
            server,
            Scripted(body=sse(*text_chunks("four score and seven")[:-1])),
            price={"input_usd_per_mtok": 1, "output_usd_per_mtok": 1},
        )

    assert reply.usage.output_tokens > 4
    assert reply.usage.cost_usd is None


async def test_the_price_of_the_settings_makes_the_cost() -> None:
    price = {"input_usd_per_mtok": 2.0, "output_usd_per_mtok": 10.0, "cached_usd_per_mtok": 1.0}
    async with WireServer() as server:
        reply = await ask(server, text("hi"), price=price)

    assert reply.usage.cost_usd == pytest.approx((36 * 2 + 64 * 1 + 20 * 10) / 1e6)


def _whole_piece(name: str, arguments: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **more}


QUIRKS: dict[str, list[dict[str, Any]]] = {
    "no index, told apart by id": [
        _whole_piece("find_customer", '{"email": "ann@müller.', id="1"),
        {"id": "1", "function": {"arguments": 'example"}'}},
        _whole_piece("find_order", '{"order_id": 1042}', id="2"),
    ],
    "no index and no id, each call whole": [
        _whole_piece("find_customer", '{"email": "ann@müller.example"}'),
        _whole_piece("find_order", '{"order_id": 1042}'),
    ],
    "index 0 for all, told apart by id": [
        _whole_piece("find_customer", '{"email": "ann@müller.example"}', index=0, id="1"),
        _whole_piece("find_order", '{"order_id": 1042}', index=0, id="2"),
    ],
    "index 0 for all and no id": [
        _whole_piece("find_customer", '{"email": "ann@müller.example"}', index=0, id=""),
        _whole_piece("find_order", '{"order_id": 1042}', index=0, id=""),
    ],
    "id and name repeated with every piece": [
        _whole_piece("find_customer", '{"email": "ann', index=0, id="1"),
        _whole_piece("find_customer", '@müller.example"}', index=0, id="1"),
        _whole_piece("find_order", '{"order_id": 1042}', index=1, id="2"),
    ],
    "the same id for two calls": [
        _whole_piece("find_customer", '{"email": "ann@müller.example"}', index=0, id="1"),
        _whole_piece("find_order", '{"order_id": 1042}', index=1, id="1"),
    ],
    "arguments as an object": [
        {"index": 0, "id": "1", "function": {"name": "find_customer", "arguments": {"email": "ann@müller.example"}}},
        {"index": 1, "id": "2", "function": {"name": "find_order", "arguments": {"order_id": 1042}}},
    ],
}


@pytest.mark.parametrize("pieces", QUIRKS.values(), ids=QUIRKS.keys())
async def test_tool_calls_are_put_together_however_the_server_numbers_them(pieces: list[dict[str, Any]]) -> None:
    chunks = [chunk({"tool_calls": [piece]}) for piece in pieces]
    async with WireServer() as server:
        reply = await ask(server, Scripted(body=sse(*chunks, chunk({}, finish="tool_calls"), usage_chunk())))

    assert calls_of(reply.message) == BOTH_CALLS
    ids = [call["id"] for call in reply.message["tool_calls"]]
    assert all(ids)
    assert len(set(ids)) == 2


async def test_a_tool_call_id_that_the_conversation_has_already_is_made_anew() -> None:
    history = [
        user("hi"),
        assistant(None, [tool_call("find_order", {"order_id": 1}, call_id="call_a")]),
        tool_result("call_a", "none", name="find_order"),
    ]
    async with WireServer() as server:
        reply = await ask(server, Scripted(body=sse(*two_calls())), request={"messages": history})

    ids = [call["id"] for call in reply.message["tool_calls"]]
    assert "call_a" not in ids
    assert ids[1] == "call_b"


async def test_a_tool_call_that_the_token_limit_cut_off_is_left_out() -> None:
    pieces = [call_piece(0, '{"order_id": 1}', call_id="a", name="find_order")]
    pieces.append(call_piece(1, '{"email": "an', call_id="b", name="find_customer"))
    chunks = [*(chunk({"tool_calls": [piece]}) for piece in pieces), chunk({}, finish="length")]
    async with WireServer() as server:
        reply = await ask(server, Scripted(body=sse(*chunks)))

    assert calls_of(reply.message) == [("find_order", {"order_id": 1})]
    assert reply.finish_reason == "length"


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


STATUSES: list[tuple[Scripted, type[Exception]]] = [
    (error_reply(401, "Incorrect API key provided"), EndpointRefused),
    (error_reply(403, "forbidden"), EndpointRefused),
    (error_reply(404, "The model `x` does not exist."), EndpointRefused),
    (error_reply(429, "You exceeded your current quota", code="insufficient_quota"), EndpointRefused),
    (error_reply(429, "slow down"), RateLimited),
    (error_reply(400, "temperature must be below 2"), BadRequest),
    (error_reply(422, "messages: field required"), BadRequest),
    (error_reply(400, "too long", param="input_tokens", code=400), ContextOverflow),
    (error_reply(400, "This model's maximum context length is 8192 tokens."), ContextOverflow),
    (error_reply(500, "boom"), EndpointFailed),
    (error_reply(503, "loading"), EndpointFailed),
    (json_reply({"detail": "Method Not Allowed"}, status=405), EndpointRefused),
    (json_reply({}, status=301, headers=(("Location", "http://elsewhere.example/"),)), EndpointRefused),
    (Scripted(body=b"<html>A page</html>", content_type="text/html"), EndpointRefused),
    (Scripted(body=b"<html>Bad Gateway</html>", status=502, content_type="text/html"), EndpointFailed),
]


@pytest.mark.parametrize(("reply", "kind"), STATUSES, ids=[f"{r.status}-{k.__name__}" for r, k in STATUSES])
async def test_each_refusal_has_its_kind_and_names_the_deployment(reply: Scripted, kind: type[Exception]) -> None:
    async with WireServer() as server:
        with pytest.raises(kind, match="deployment 'local'") as caught:
            await ask(server, reply)

    assert caught.type is kind


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [({"Retry-After": "7"}, 7.0), ({"retry-after-ms": "250"}, 0.25), ({"Retry-After": "soon"}, None), ({}, None)],
)
async def test_a_rate_limit_says_how_long_to_wait(headers: dict[str, str], wait_s: float | None) -> None:
    async with WireServer() as server:
        with pytest.raises(RateLimited) as caught:
            await ask(server, error_reply(429, "slow down", headers=headers))

    assert caught.value.retry_after_s == wait_s


async def test_a_key_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_KEY", "sk-very-secret-1234")
    async with WireServer() as server:
        with pytest.raises(EndpointRefused) as caught:
            await ask(server, error_reply(401, "wrong key sk-very-secret-1234"), api_key="env:LOCAL_KEY")

    assert server.requests[0].headers["authorization"] == "Bearer sk-very-secret-1234"
    assert "sk-very-secret" not in str(caught.value)
    assert "***" in str(caught.value)


async def test_a_key_that_is_not_there_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    async with WireServer() as server:
        with pytest.raises(ConfigError, match=r"'local' needs the environment variable NO_SUCH_KEY"):
            await ask(server, text("hi"), api_key="env:NO_SUCH_KEY")


async def test_a_long_error_of_the_server_is_cut_short() -> None:
    async with WireServer() as server:
        with pytest.raises(EndpointFailed) as caught:
            await ask(server, error_reply(500, "x" * 100_000))

    assert len(str(caught.value)) < 700


async def test_an_endpoint_where_nobody_listens_is_unreachable() -> None:
    async with WireServer() as server:
        pass

    with pytest.raises(EndpointUnreachable, match=r"cannot be reached at http://127\.0\.0\.1:\d+/v1"):
        await deployment(server).generate(GenerationRequest(messages=[user("hi")]))


async def test_no_first_token_in_time_is_a_timeout() -> None:
    async with WireServer() as server:
        with pytest.raises(EndpointTimeout, match=r"no first token within 0\.01 s"):
            await ask(server, text("hi", stall_at=0), first_token_s=0.01)


async def test_standing_still_in_mid_answer_is_a_broken_stream() -> None:
    stall_at = len(sse(*text_chunks("Hel")[:2], done=False))
    async with WireServer() as server:
        with pytest.raises(BrokenStream, match=r"stood still for 0\.01 s"):
            await ask(server, text("Hel", "lo", stall_at=stall_at), idle_s=0.01)


async def test_a_server_that_is_done_and_does_not_hang_up_has_answered() -> None:
    body = sse(*text_chunks("Hello"), done=False)
    async with WireServer() as server:
        reply = await ask(server, Scripted(body=body, stall_at=len(body)), idle_s=0.01)

    assert reply.message["content"] == "Hello"


async def test_the_callers_deadline_ends_the_call() -> None:
    async with WireServer() as server:
        server.script(text("hi", stall_at=0))
        with pytest.raises(DeadlinePassed):
            await deployment(server).generate(
                GenerationRequest(messages=[user("hi")]), deadline=time.monotonic() + 0.01
            )


async def test_a_cancelled_call_closes_its_connection() -> None:
    async with WireServer() as server:
        server.script(text("hi", stall_at=0))
        model = deployment(server)
        task = asyncio.create_task(model.generate(GenerationRequest(messages=[user("hi")])))
        await server.asked.wait()

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            await server.left.wait()

    assert server.left.is_set()


async def test_calls_one_after_the_other_share_one_connection() -> None:
    async with WireServer() as server:
        server.script(text("hi"))
        model = deployment(server)

        for _ in range(3):
            await model.generate(GenerationRequest(messages=[user("hi")]))

    assert server.connections == 1


async def test_a_connection_that_died_while_idle_is_made_anew() -> None:
    async with WireServer() as server:
        server.script(Scripted(body=b"", hang_up=True), text("hi"))

        reply = await deployment(server).generate(GenerationRequest(messages=[user("hi")]))

    assert reply.message["content"] == "hi"


async def test_a_proxy_of_the_environment_is_never_used_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with WireServer() as server:
        reply = await ask(server, text("direct"))

    assert reply.message["content"] == "direct"


async def test_a_proxy_of_the_environment_is_used_for_other_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    async with WireServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.base)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        proxy.script(text("through the proxy"))
        model = HttpDeployment("far", DeploymentSettings(endpoint="http://models.example/v1", model="m"))

        reply = await model.generate(GenerationRequest(messages=[user("hi")]))

    assert reply.message["content"] == "through the proxy"
    assert proxy.requests[0].path == "http://models.example/v1/chat/completions"


async def test_what_the_caller_does_with_a_delta_wrongly_is_not_blamed_on_the_server() -> None:
    def stumble(delta: Delta) -> None:
        raise ValueError("mine")

    async with WireServer() as server:
        server.script(text("hi"))
        with pytest.raises(ValueError, match="mine"):
            await deployment(server).generate(GenerationRequest(messages=[user("hi")]), on_delta=stumble)


async def test_the_stock_client_reads_what_the_scripted_server_sends() -> None:
    openai = pytest.importorskip("openai")
    async with WireServer() as server:
        server.script(Scripted(body=sse(*two_calls())), error_reply(429, "slow down"))
        client = openai.AsyncOpenAI(base_url=server.url, api_key="x", max_retries=0)
        messages = [{"role": "user", "content": "hi"}]

        chunks = [
            each
            async for each in await client.chat.completions.create(
                model="m", messages=messages, stream=True, stream_options={"include_usage": True}
            )
        ]
        models = [model.id async for model in await client.models.list()]
        with pytest.raises(openai.RateLimitError, match="slow down"):
            await client.chat.completions.create(model="m", messages=messages)
        await client.close()

    content = "".join(each.choices[0].delta.content or "" for each in chunks if each.choices)
    assert content == "Zwei Blicke… 早 🙂"
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens == 64
    assert models == ["scripted"]
