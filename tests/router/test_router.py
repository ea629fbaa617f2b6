from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.router.wire_server import Scripted, WireServer, error_reply, sse, text, text_chunks, two_calls

from segue.base.errors import BadInput, ConfigError, EndpointError
from segue.base.messages import Message, user
from segue.router import (
    BadRequest,
    BrokenStream,
    ContextOverflow,
    DeadlinePassed,
    Delta,
    Deployment,
    DeploymentSettings,
    EndpointFailed,
    EndpointRefused,
    EndpointUnreachable,
    Generation,
    GenerationRequest,
    NoDeploymentLeft,
    OnDelta,
    RateLimited,
    Reply,
    Reset,
    Router,
    RouterCore,
    RouterSettings,
    RouteSettings,
    TextDelta,
)

HI = GenerationRequest(messages=[user("hi")])


class Says(Deployment):
    """Answers with its name; raises or shows what it was given first, one each time."""

    def __init__(self, name: str, *failures: Exception | str, weight: float = 1.0, context: int | None = None) -> None:
        self.name = name
        self.weight = weight
        self.context_tokens = context
        self.failures: Iterator[Exception | str] = iter(failures)
        self.asked: list[GenerationRequest] = []

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        self.asked.append(request)
        failure = next(self.failures, None)
        if isinstance(failure, Exception):
            raise failure
        if failure is not None:
            if on_delta is not None:
                on_delta(TextDelta(failure))
            raise BrokenStream(self.name, "broke off in mid answer")
        if on_delta is not None:
            on_delta(TextDelta(self.name))
        message: Message = {"role": "assistant", "content": self.name}
        return Reply(message=message)


def router(*deployments: Deployment, **more: Any) -> Router:
    return Router(deployments={each.name: each for each in deployments}, **more)


def outcomes(found: Generation) -> list[tuple[str, str]]:
    return [(attempt.deployment, attempt.outcome) for attempt in found.attempts]


async def test_a_single_deployment_answers_and_the_generation_says_why() -> None:
    found = await router(Says("a")).generate(HI)

    assert (found.deployment, found.route, found.message["content"]) == ("a", "default", "a")
    assert found.message["labels"]
    assert found.why == "route 'default' took 'a', its only deployment."
    assert outcomes(found) == [("a", "ok")]


async def test_a_refusal_goes_on_to_the_next_deployment_and_is_told() -> None:
    found = await router(Says("a", EndpointRefused("a", "refused (401)")), Says("b")).generate(HI)

    assert outcomes(found) == [("a", "refused"), ("b", "ok")]
    assert found.why == "route 'default' took 'b', the first of its deployments, after 'a' (refused) had failed."


async def test_a_broken_stream_starts_over_elsewhere_after_a_reset() -> None:
    deltas: list[Delta] = []

    found = await router(Says("a", "half a tr"), Says("b")).generate(HI, on_delta=deltas.append)

    assert deltas[0] == TextDelta("half a tr")
    assert isinstance(deltas[1], Reset)
    assert deltas[2:] == [TextDelta("b")]
    assert found.message["content"] == "b"


async def test_a_failure_before_anything_was_shown_resets_nothing() -> None:
    deltas: list[Delta] = []

    await router(Says("a", EndpointUnreachable("a", "is down")), Says("b")).generate(HI, on_delta=deltas.append)

    assert deltas == [TextDelta("b")]


async def test_where_all_fail_only_a_share_is_asked_once_more() -> None:
    a = Says("a", *[EndpointFailed("a", "failed (503)")] * 2000)
    found = RouterCore(RouterSettings(retry_share=0.1), deployments={"a": a})
    found._standing.retries._per_second = 0.0

    errors = await asyncio.gather(*(found.generate(HI) for _ in range(300)), return_exceptions=True)

    tries = [len(each.attempts) for each in errors if isinstance(each, NoDeploymentLeft)]
    assert len(tries) == 300
    assert 100 <= tries.count(2) <= 100 + 300 * 0.1 + 1
    assert sum("the retry budget is used up" in str(each) for each in errors) == tries.count(1)


async def test_what_may_have_recovered_is_tried_once_more_after_the_others() -> None:
    a, b = Says("a", EndpointFailed("a", "failed (503)")), Says("b", EndpointRefused("b", "refused (403)"))

    found = await router(a, b).generate(HI)

    assert outcomes(found) == [("a", "failed"), ("b", "refused"), ("a", "ok")]


async def test_when_all_fail_every_attempt_is_listed_with_the_ways_out() -> None:
    a = Says("a", EndpointUnreachable("a", "is down", way_out="Start it."))
    b = Says("b", EndpointRefused("b", "refused (401)", way_out="Give it a key."))

    with pytest.raises(NoDeploymentLeft) as caught:
        await router(a, b).generate(HI)

    assert [attempt.deployment for attempt in caught.value.attempts] == ["a", "b"]
    assert "1. deployment 'a' is down. 2. deployment 'b' refused (401). Start it. Give it a key." in str(caught.value)
    assert caught.value.retryable


async def test_a_wrong_request_is_not_tried_elsewhere() -> None:
    b = Says("b")

    with pytest.raises(BadRequest):
        await router(Says("a", BadRequest("a", "does not accept the request (400)")), b).generate(HI)

    assert b.asked == []


async def test_a_conversation_too_long_goes_on_only_where_the_context_is_longer() -> None:
    overflow = ContextOverflow("a", "cannot take so long a conversation")
    short, long = Says("short", context=4_000), Says("long", context=100_000)

    found = await router(Says("a", overflow, context=8_000), short, long).generate(HI)
    with pytest.raises(ContextOverflow):
        await router(Says("a", overflow, context=8_000), Says("short", context=4_000)).generate(HI)

    assert outcomes(found) == [("a", "context_overflow"), ("long", "ok")]
    assert short.asked == []


async def test_a_short_rate_limit_is_waited_for_when_nobody_else_is_left() -> None:
    limited = RateLimited("a", "is over its rate limit (429)", retry_after_s=0.001)

    found = await router(Says("a", limited)).generate(HI)

    assert outcomes(found) == [("a", "rate_limited"), ("a", "ok")]


async def test_a_failure_after_a_rate_limit_is_tried_once_more_all_the_same() -> None:
    limited = RateLimited("a", "is over its rate limit (429)", retry_after_s=0.001)

    found = await router(Says("a", limited, EndpointFailed("a", "failed (500)"))).generate(HI)

    assert outcomes(found) == [("a", "rate_limited"), ("a", "failed"), ("a", "ok")]


async def test_a_rate_limit_is_not_waited_for_when_another_deployment_answers() -> None:
    limited = RateLimited("a", "is over its rate limit (429)", retry_after_s=5)

    found = await router(Says("a", limited), Says("b")).generate(HI)

    assert outcomes(found) == [("a", "rate_limited"), ("b", "ok")]


@pytest.mark.parametrize(("retry_after_s", "deadline_s"), [(60.0, None), (5.0, 1.0)])
async def test_a_long_rate_limit_is_an_error_that_says_how_long(retry_after_s: float, deadline_s: float | None) -> None:
    limited = RateLimited("a", "is over its rate limit (429)", retry_after_s=retry_after_s)
    deadline = None if deadline_s is None else time.monotonic() + deadline_s

    with pytest.raises(NoDeploymentLeft) as caught:
        await router(Says("a", limited)).generate(HI, deadline=deadline)

    assert caught.value.retry_after_s == retry_after_s


async def test_a_deadline_that_has_passed_asks_nobody() -> None:
    a = Says("a")

    with pytest.raises(DeadlinePassed):
        await router(a).generate(HI, deadline=time.monotonic())

    assert a.asked == []


async def test_fallback_routes_come_after_the_routes_own_deployments_each_with_its_own_settings() -> None:
    a, b, c = Says("a", EndpointUnreachable("a", "is down")), Says("b", EndpointUnreachable("b", "is down")), Says("c")
    routes = {
        "main": RouteSettings(deployments=("a",), fallbacks=("second", "third"), temperature=0.1),
        "second": RouteSettings(deployments=("a", "b"), temperature=0.2),
        "third": RouteSettings(deployments=("c",), extra={"seed": 1}),
    }

    found = await router(a, b, c, routes=routes).generate(HI, route="main")

    assert outcomes(found) == [("a", "unreachable"), ("b", "unreachable"), ("c", "ok")]
    assert [each.asked[0].temperature for each in (a, b, c)] == [0.1, 0.2, None]
    assert c.asked[0].extra == {"seed": 1}
    assert "of the fallback route 'third'" in found.why


async def test_round_robin_takes_turns() -> None:
    routes = {"r": RouteSettings(deployments=("a", "b"), policy="round_robin")}
    turns = router(Says("a"), Says("b"), routes=routes)

    found = [(await turns.generate(HI)).deployment for _ in range(4)]

    assert found == ["a", "b", "a", "b"]


async def test_weighted_draws_by_weight() -> None:
    class Points:
        def __init__(self) -> None:
            self.points = iter([0.0, 0.74, 0.76])

        def random(self) -> float:
            return next(self.points)

    routes = {"r": RouteSettings(deployments=("a", "b"), policy="weighted")}
    drawn = router(Says("a", weight=3), Says("b", weight=1), routes=routes, randomness=Points())

    found = [(await drawn.generate(HI)).deployment for _ in range(3)]

    assert found == ["a", "a", "b"]


async def test_an_unknown_route_lists_those_that_exist() -> None:
    routes = {"cheap": RouteSettings(deployments=("a",))}

    with pytest.raises(BadInput, match=r"no route 'cheep'; the routes are: cheap, default, fast, smart"):
        await router(Says("a"), routes=routes).generate(HI, route="cheep")


async def test_fast_and_smart_always_exist_and_say_what_they_stand_for() -> None:
    routes = {"main": RouteSettings(deployments=("a",)), "smart": RouteSettings(deployments=("b",))}
    both = router(Says("a"), Says("b"), routes=routes)

    fast, smart = await both.generate(HI, route="fast"), await both.generate(HI, route="smart")

    assert (fast.deployment, smart.deployment) == ("a", "b")
    assert fast.why == "route 'fast' (the default route, 'main') took 'a', its only deployment."


async def test_over_the_wire_a_server_that_fails_in_mid_stream_is_replaced_and_its_tool_calls_never_seen() -> None:
    body = sse(*two_calls())
    deltas: list[Delta] = []
    async with WireServer() as first, WireServer() as second:
        first.script(Scripted(body=body, cut_at=len(body) // 2))
        second.script(text("the answer"))
        settings = RouterSettings(
            deployments={
                "first": DeploymentSettings(endpoint=first.url, model="m"),
                "second": DeploymentSettings(endpoint=second.url, model="m"),
            }
        )
        both = Router(settings)

        found = await both.generate(HI, on_delta=deltas.append)
        await both.aclose()

    assert outcomes(found) == [("first", "broken_stream"), ("second", "ok")]
    assert "tool_calls" not in found.message
    assert any(isinstance(delta, Reset) for delta in deltas)
    assert deltas[-1] == TextDelta("the answer")


async def test_over_the_wire_a_429_is_waited_for() -> None:
    async with WireServer() as server:
        server.script(error_reply(429, "slow down", headers={"retry-after-ms": "1"}), text("now"))
        one = Router(deployments={"a": DeploymentSettings(endpoint=server.url, model="m")})

        found = await one.generate(HI)

    assert found.message["content"] == "now"


def test_one_router_serves_one_event_loop_after_another() -> None:
    async def ask(one: Router) -> str:
        async with WireServer() as server:
            server.script(text("hi"))
            one.add_model(f"at {server.port}", DeploymentSettings(endpoint=server.url, model="m"))
            found = await one.generate(HI, route=f"at {server.port}")
            return str(found.message["content"])

    one = Router()

    assert [asyncio.run(ask(one)) for _ in range(2)] == ["hi", "hi"]


async def test_an_error_of_another_kind_of_endpoint_also_goes_on_to_the_next() -> None:
    found = await router(Says("a", EndpointError("gone fishing")), Says("b")).generate(HI)

    assert outcomes(found) == [("a", "failed"), ("b", "ok")]


async def test_resolve_takes_names_deployments_and_routers() -> None:
    one, other = router(Says("a")), router(Says("b"))
    mine = Says("mine")

    assert one.resolve() == "default"
    assert one.resolve("fast") == "fast"
    assert one.resolve(one) == "default"
    assert one.resolve(one.as_chat_model("smart")) == "smart"
    assert one.resolve(mine) == one.resolve(mine) == "mine"
    route = one.resolve(other)
    assert (await one.generate(HI, route=route)).message["content"] == "b"


def test_resolve_makes_a_deployment_of_an_engine_and_a_model() -> None:
    one = Router(environ={})

    route = one.resolve("openai:gpt-5-mini")

    described = one.describe()["deployments"][route]
    assert described == {
        "engine": "openai",
        "model": "gpt-5-mini",
        "endpoint": "https://api.openai.com/v1",
        "api_key": "env:OPENAI_API_KEY (not set)",
    }


@pytest.mark.parametrize("wrong", ["nobody", "antropic:claude", 7])
def test_what_is_no_model_is_bad_input(wrong: Any) -> None:
    with pytest.raises(BadInput):
        router(Says("a")).resolve(wrong)


def test_a_name_can_be_taken_once() -> None:
    with pytest.raises(BadInput, match="'a' already"):
        router(Says("a")).add_model("a", Says("a"))


def test_a_route_to_nowhere_is_found_when_the_router_is_made() -> None:
    with pytest.raises(ConfigError, match=r"\[routes.r\] names no deployment 'b'; there are: a"):
        router(Says("a"), routes={"r": RouteSettings(deployments=("b",))})


async def test_without_any_deployment_the_error_says_what_to_do() -> None:
    with pytest.raises(BadInput, match="configure one"):
        await Router().generate(HI)


def test_importing_the_router_pulls_in_no_client_library() -> None:
    program = (
        "import sys, segue.router, segue.router.settings, segue.router.core; segue.router.GenerationRequest\n"
        "print([name for name in ('aiohttp', 'openai', 'langchain_core', 'genai_prices') if name in sys.modules])"
    )

    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert out.stdout.strip() == "[]"


async def test_the_wire_server_is_read_to_the_end_so_that_text_and_usage_are_whole() -> None:
    async with WireServer() as server:
        server.script(Scripted(body=sse(*text_chunks("a", "b"))))
        one = Router(deployments={"a": DeploymentSettings(endpoint=server.url, model="m")})

        found = await one.generate(HI)

    assert (found.message["content"], found.usage.output_tokens, found.model) == ("ab", 20, "scripted-1")
    assert found.first_token_s is not None
    assert 0 < found.first_token_s <= found.duration_s
