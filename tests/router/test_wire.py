from __future__ import annotations

from typing import Any

import pytest
from tests.router.asking import ask, calls_of, deployment
from tests.router.wire_server import (
    Scripted,
    WireServer,
    chunk,
    error_reply,
    json_reply,
    sse,
    text,
    text_chunks,
    two_calls,
)

from segue.base.messages import user
from segue.router import (
    BrokenStream,
    Delta,
    EndpointFailed,
    GenerationRequest,
    TextDelta,
    ToolCallDelta,
)

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
