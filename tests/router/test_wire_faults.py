from __future__ import annotations

import time

import pytest
from tests.router.asking import ask, deployment
from tests.router.wire_server import (
    Scripted,
    WireServer,
    error_reply,
    json_reply,
    sse,
    text,
    text_chunks,
)

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
