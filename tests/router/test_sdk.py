from __future__ import annotations

import time

import pytest
from tests.router.asking import calls_of
from tests.router.asking_sdk import ask, settings_for
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
    BadRequest,
    BrokenStream,
    ContextOverflow,
    DeadlinePassed,
    Delta,
    EndpointFailed,
    EndpointRefused,
    EndpointTimeout,
    EndpointUnreachable,
    GenerationRequest,
    RateLimited,
    SdkDeployment,
    TextDelta,
)

BOTH_CALLS = [("find_customer", {"email": "ann@müller.example"}), ("find_order", {"order_id": 1042})]


async def test_text_arrives_in_deltas_and_whole_with_usage_and_the_servers_model_name() -> None:
    deltas: list[Delta] = []
    async with WireServer() as server:
        server.script(text("Hel", "lo"))
        model = SdkDeployment("sdk", None, settings_for(server))

        reply = await model.generate(GenerationRequest(messages=[user("hi")]), on_delta=deltas.append)
        await model.aclose()

    assert deltas == [TextDelta("Hel"), TextDelta("lo")]
    assert (reply.message["content"], reply.model, reply.finish_reason) == ("Hello", "scripted-1", "stop")
    assert (reply.usage.input_tokens, reply.usage.cached_tokens, reply.usage.output_tokens) == (100, 64, 20)
    assert reply.first_token_s is not None


async def test_the_body_is_the_one_of_our_own_wire_and_no_key_is_made_up() -> None:
    request = {"temperature": 0.0, "stop": ["END"], "extra": {"top_k": 5}, "max_output_tokens": 7}
    async with WireServer() as server:
        await ask(server, text("hi"), request=request, headers={"X-Team": "blue"})
        (seen,) = server.requests

    assert seen.path == "/v1/chat/completions"
    assert (seen.body["temperature"], seen.body["stop"], seen.body["top_k"], seen.body["max_tokens"]) == (
        0,
        ["END"],
        5,
        7,
    )
    assert seen.body["stream_options"] == {"include_usage": True}
    assert "authorization" not in seen.headers
    assert seen.headers["x-team"] == "blue"


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.long), 17])
async def test_a_stream_cut_at_any_byte_is_whole_or_an_error_and_never_a_part(step: int) -> None:
    body = sse(*two_calls())
    at_its_end = body.index(b'"finish_reason": "tool_calls"')
    offsets = [*range(0, at_its_end, step), *range(at_its_end, len(body) + 1)]
    async with WireServer() as server:
        server.replies.append(Scripted(body=body))
        model = SdkDeployment("sdk", None, settings_for(server))
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

    assert min(whole) > at_its_end
    assert whole == list(range(min(whole), len(body) + 1))


STATUSES: list[tuple[Scripted, type[Exception]]] = [
    (error_reply(401, "Incorrect API key provided"), EndpointRefused),
    (error_reply(403, "forbidden"), EndpointRefused),
    (error_reply(404, "The model `x` does not exist."), EndpointRefused),
    (error_reply(429, "You exceeded your current quota", code="insufficient_quota"), EndpointRefused),
    (error_reply(400, "temperature must be below 2"), BadRequest),
    (error_reply(422, "messages: field required"), BadRequest),
    (error_reply(400, "too long", code="context_length_exceeded"), ContextOverflow),
    (error_reply(409, "conflict"), EndpointFailed),
    (error_reply(500, "boom"), EndpointFailed),
    (error_reply(503, "loading"), EndpointFailed),
    (json_reply({}, status=301, headers=(("Location", "http://elsewhere.example/"),)), EndpointRefused),
    (Scripted(body=b"<html>A page</html>", content_type="text/html"), EndpointRefused),
    (Scripted(body=b"<html>Bad Gateway</html>", status=502, content_type="text/html"), EndpointFailed),
    (Scripted(body=sse(b"data: <html>")), EndpointFailed),
    (Scripted(body=sse(chunk({"content": 7}))), EndpointFailed),
    (Scripted(body=sse(*text_chunks("x", finish="abort"))), BrokenStream),
    (Scripted(body=sse(chunk({"content": "x"}), done=False)), BrokenStream),
    (Scripted(body=sse(chunk({"content": "x"}), b'data: {"error": {"message": "m", "code": 500}}')), EndpointFailed),
]


@pytest.mark.parametrize(("reply", "kind"), STATUSES, ids=[f"{n}-{k.__name__}" for n, (_, k) in enumerate(STATUSES)])
async def test_each_failure_has_its_kind_and_is_not_tried_again_here(reply: Scripted, kind: type[Exception]) -> None:
    async with WireServer() as server:
        with pytest.raises(kind, match="deployment 'sdk'") as caught:
            await ask(server, reply)

    assert caught.type is kind
    assert len(server.requests) == 1


async def test_a_rate_limit_says_how_long_to_wait() -> None:
    async with WireServer() as server:
        with pytest.raises(RateLimited) as caught:
            await ask(server, error_reply(429, "slow down", headers={"retry-after-ms": "250"}))

    assert (caught.value.retry_after_s, len(server.requests)) == (0.25, 1)


async def test_an_answer_that_is_not_streamed_is_taken_all_the_same() -> None:
    message = {"role": "assistant", "content": "plain"}
    data = {"model": "p", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    async with WireServer() as server:
        reply = await ask(server, json_reply(data))

    assert reply.message["content"] == "plain"


async def test_a_connection_that_died_while_idle_is_made_anew() -> None:
    async with WireServer() as server:
        reply = await ask(server, Scripted(body=b"", hang_up=True), text("hi"))

    assert reply.message["content"] == "hi"


async def test_calls_one_after_the_other_share_one_connection() -> None:
    async with WireServer() as server:
        server.script(text("hi"))
        model = SdkDeployment("sdk", None, settings_for(server))
        for _ in range(3):
            await model.generate(GenerationRequest(messages=[user("hi")]))
        await model.aclose()

    assert server.connections == 1


async def test_deadlines_are_kept() -> None:
    stall_at = len(sse(*text_chunks("Hel")[:2], done=False))
    async with WireServer() as server:
        with pytest.raises(EndpointTimeout, match=r"no first token within 0\.01 s"):
            await ask(server, text("hi", stall_at=0), first_token_s=0.01)
        server.replies.clear()
        with pytest.raises(BrokenStream, match=r"stood still for 0\.01 s"):
            await ask(server, text("Hel", "lo", stall_at=stall_at), idle_s=0.01)
        server.replies.clear()
        server.script(text("hi", stall_at=0))
        model = SdkDeployment("sdk", None, settings_for(server))
        with pytest.raises(DeadlinePassed):
            await model.generate(GenerationRequest(messages=[user("hi")]), deadline=time.monotonic() + 0.01)
        await model.aclose()


async def test_an_endpoint_where_nobody_listens_is_unreachable() -> None:
    async with WireServer() as server:
        pass

    with pytest.raises(EndpointUnreachable, match=r"cannot be reached at http://127\.0\.0\.1:\d+/v1"):
        await ask(server, text("never"))


async def test_what_the_caller_does_with_a_delta_wrongly_is_not_blamed_on_the_server() -> None:
    def stumble(delta: Delta) -> None:
        raise ValueError("mine")

    async with WireServer() as server:
        server.script(text("hi"))
        model = SdkDeployment("sdk", None, settings_for(server))
        with pytest.raises(ValueError, match="mine"):
            await model.generate(GenerationRequest(messages=[user("hi")]), on_delta=stumble)
        await model.aclose()
