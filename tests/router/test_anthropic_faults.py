from __future__ import annotations

import time
from typing import Any

import pytest
from tests.router.anthropic_server import (
    AnthropicServer,
    block,
    end,
    events,
    refusal,
    says,
    start,
    text_block,
)
from tests.router.asking import calls_of
from tests.router.asking_anthropic import ask, deployment
from tests.router.wire_server import Scripted, json_reply

from segue.base.errors import ConfigError
from segue.base.messages import user
from segue.router import (
    BadRequest,
    BrokenStream,
    ContextOverflow,
    DeadlinePassed,
    EndpointFailed,
    EndpointRefused,
    EndpointTimeout,
    EndpointUnreachable,
    GenerationRequest,
    RateLimited,
)

STATUSES: list[tuple[Scripted, type[Exception]]] = [
    (refusal(401, "invalid x-api-key", "authentication_error"), EndpointRefused),
    (refusal(402, "pay", "billing_error"), EndpointRefused),
    (refusal(403, "no", "permission_error"), EndpointRefused),
    (refusal(404, "model: claude-x", "not_found_error"), EndpointRefused),
    (refusal(400, "Your credit balance is too low to access the Anthropic API."), EndpointRefused),
    (refusal(400, "You have reached your specified API usage limits."), EndpointRefused),
    (refusal(400, "temperature: range: 0..1"), BadRequest),
    (refusal(413, "Request exceeds the maximum size", "request_too_large"), BadRequest),
    (refusal(400, "prompt is too long: 208310 tokens > 200000 maximum"), ContextOverflow),
    (refusal(400, "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000"), ContextOverflow),
    (refusal(429, "slow down", "rate_limit_error"), RateLimited),
    (refusal(500, "boom", "api_error"), EndpointFailed),
    (refusal(529, "Overloaded", "overloaded_error"), EndpointFailed),
    (Scripted(body=b"<html>A page</html>", content_type="text/html"), EndpointRefused),
    (Scripted(body=b"<html>Bad Gateway</html>", status=502, content_type="text/html"), EndpointFailed),
]


@pytest.mark.parametrize(("reply", "kind"), STATUSES, ids=[f"{n}-{r.status}" for n, (r, _) in enumerate(STATUSES)])
async def test_each_refusal_has_its_kind_and_names_the_deployment(reply: Scripted, kind: type[Exception]) -> None:
    async with AnthropicServer() as server:
        with pytest.raises(kind, match="deployment 'claude'") as caught:
            await ask(server, reply)

    assert caught.type is kind


@pytest.mark.parametrize(
    ("kind", "ours"),
    [
        ("overloaded_error", EndpointFailed),
        ("api_error", EndpointFailed),
        ("rate_limit_error", RateLimited),
        ("authentication_error", EndpointRefused),
        ("invalid_request_error", BadRequest),
        ("something_new", BrokenStream),
    ],
)
async def test_an_error_in_mid_stream_is_what_its_status_would_have_been(kind: str, ours: type[Exception]) -> None:
    error = {"type": "error", "error": {"type": kind, "message": "it says so"}}
    async with AnthropicServer() as server:
        with pytest.raises(ours, match="it says so") as caught:
            await ask(server, Scripted(body=events(start(), *text_block(0, "Hel"), error)))

    assert caught.type is ours


async def test_a_rate_limit_says_how_long_to_wait() -> None:
    async with AnthropicServer() as server:
        with pytest.raises(RateLimited) as caught:
            await ask(server, refusal(429, "slow down", "rate_limit_error", retry_after="7"))

    assert caught.value.retry_after_s == 7.0


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_delta", "index": 5, "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 7}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_start", "index": 1, "content_block": "x"},
        {"type": "message_delta", "delta": None},
        {"no": "type"},
    ],
)
async def test_events_of_the_wrong_shape_are_a_failure_and_no_crash(event: dict[str, Any]) -> None:
    body = events(start(), *text_block(0, "x"), {"type": "x", **event}, *end())
    async with AnthropicServer() as server:
        with pytest.raises(EndpointFailed, match="no event of a message"):
            await ask(server, Scripted(body=body if "type" in event else body.replace(b'"type":"x",', b"")))


async def test_kinds_of_events_and_blocks_that_are_new_are_passed_over() -> None:
    new = {"type": "message_sparkles", "level": 11}
    stream = [start(), new, *block(0, {"type": "hologram"}, {"type": "hologram_delta"}), *text_block(1, "Hi"), *end()]
    async with AnthropicServer() as server:
        reply = await ask(server, Scripted(body=events(*stream)))

    assert reply.message["content"] == "Hi"


async def test_an_answer_that_is_not_streamed_is_taken_all_the_same() -> None:
    content = [{"type": "text", "text": "Hi"}, {"type": "tool_use", "id": "t", "name": "f", "input": {"n": 1}}]
    usage = {"input_tokens": 5, "output_tokens": 2}
    whole = {"type": "message", "model": "plain", "content": content, "stop_reason": "tool_use", "usage": usage}
    async with AnthropicServer() as server:
        reply = await ask(server, json_reply(whole))

    assert (reply.message["content"], calls_of(reply.message)) == ("Hi", [("f", {"n": 1})])
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.finish_reason) == (5, 2, "tool_calls")


async def test_the_key_goes_into_its_header_and_into_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_KEY", "sk-ant-very-secret-1234")
    async with AnthropicServer() as server:
        model = deployment(server, api_key="env:CLAUDE_KEY", headers={"anthropic-beta": "x-2026"})
        server.script(refusal(401, "wrong key sk-ant-very-secret-1234", "authentication_error"))
        with pytest.raises(EndpointRefused) as caught:
            await model.generate(GenerationRequest(messages=[user("hi")]))

    headers = server.requests[0].headers
    assert (headers["x-api-key"], headers["anthropic-beta"]) == ("sk-ant-very-secret-1234", "x-2026")
    assert "authorization" not in headers
    assert "very-secret" not in f"{caught.value!r} {caught.value} {model.describe()}"
    assert "***" in str(caught.value)


async def test_a_key_that_is_not_there_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    async with AnthropicServer() as server:
        with pytest.raises(ConfigError, match=r"'claude' needs the environment variable NO_SUCH_KEY"):
            await ask(server, says("hi"), api_key="env:NO_SUCH_KEY")


async def test_deadlines_are_kept() -> None:
    stall_at = len(events(start(), *text_block(0, "Hel")))
    async with AnthropicServer() as server:
        with pytest.raises(EndpointTimeout, match=r"no first token within 0\.01 s"):
            await ask(server, says("hi", stall_at=0), first_token_s=0.01)
        server.replies.clear()
        with pytest.raises(BrokenStream, match=r"stood still for 0\.01 s"):
            await ask(server, Scripted(body=events(start(), *text_block(0, "Hel")), stall_at=stall_at), idle_s=0.01)
        server.replies.clear()
        server.script(says("hi", stall_at=0))
        with pytest.raises(DeadlinePassed):
            await deployment(server).generate(
                GenerationRequest(messages=[user("hi")]), deadline=time.monotonic() + 0.01
            )


async def test_an_endpoint_where_nobody_listens_is_unreachable() -> None:
    async with AnthropicServer() as server:
        pass

    with pytest.raises(EndpointUnreachable, match=r"cannot be reached at http://127\.0\.0\.1:\d+/v1"):
        await deployment(server).generate(GenerationRequest(messages=[user("hi")]))
