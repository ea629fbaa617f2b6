"""Whether deployments answer: what each endpoint says of itself, and how fast it answers."""

from __future__ import annotations

from typing import Any

import pytest
from tests.router.vllm_double import VllmDouble
from tests.router.wire_server import Scripted, WireServer, error_reply, text

from segue.router.bench import Bench, bench
from segue.router.build import build
from segue.router.health import Health, healths
from segue.router.sessions import Sessions
from segue.router.settings import DeploymentSettings, PriceSettings
from segue.router.speeds import Speed, speeds
from segue.tracing.spans import SpanRow


async def of(engine: str, url: str, *, model: str = "scripted", environ: Any = None, **more: Any) -> Health:
    timeout_s = more.pop("timeout_s", 5.0)
    settings = DeploymentSettings(engine=engine, endpoint=url, model=model, **more)
    return (await healths({"it": settings}, environ=environ or {}, timeout_s=timeout_s))["it"]


async def test_a_vllm_server_tells_its_health_and_its_load() -> None:
    async with VllmDouble(key="s3cret") as server:
        found = await of("vllm", server.url, api_key="env:KEY", environ={"KEY": "s3cret"})

    assert (found.state, found.well, found.detail) == ("ok", True, "")
    assert found.metrics is not None
    assert found.took_s is not None
    assert sorted(server.paths) == ["/health", "/metrics", "/v1/models"]


async def test_a_vllm_server_without_figures_or_health_is_well_where_it_serves_the_model() -> None:
    async with VllmDouble(metrics="", health=404) as server:
        found = await of("vllm", server.url)

    assert (found.state, found.metrics) == ("ok", None)


@pytest.mark.parametrize(
    ("server", "model", "state", "said"),
    [
        (VllmDouble(health=503), "scripted", "failing", "/health says 503"),
        (VllmDouble(), "other", "no such model", "it does not serve 'other'; it has: scripted"),
        (VllmDouble(key="k"), "scripted", "refused", "it"),
    ],
    ids=["dead", "other-model", "no-key"],
)
async def test_what_is_wrong_with_a_vllm_server_is_said(server: VllmDouble, model: str, state: str, said: str) -> None:
    async with server:
        found = await of("vllm", server.url, model=model)

    assert (found.state, found.well) == (state, False)
    assert said in found.detail


async def test_another_endpoint_is_asked_for_its_models_alone() -> None:
    async with WireServer() as server:
        listed = await of("openai", server.url)
        unlisted = await of("openai", server.url, model="other")

    assert (listed.state, listed.detail) == ("ok", "")
    assert (unlisted.state, unlisted.detail) == ("ok", "it does not list 'other'")
    assert {seen.path for seen in server.requests} == {"/v1/models"}


async def test_what_does_not_answer_is_told_and_never_raised() -> None:
    async with WireServer() as gone:
        pass
    slow = Scripted(body=b"{}", stall_at=0)

    async with WireServer(listing=slow) as stalled:
        late = await of("openai", stalled.url, timeout_s=0.05)
        late_vllm = await of("vllm", stalled.url, timeout_s=0.05)

    assert (await of("openai", gone.url)).state == "unreachable"
    assert (await of("vllm", gone.url)).state == "unreachable"
    assert (late.state, late_vllm.state) == ("too late", "too late")
    assert (await of("anthropic", gone.url, api_key="env:KEY")).state == "no key"


async def test_who_cannot_be_asked_without_a_generation_is_not_asked() -> None:
    azure = DeploymentSettings(
        engine="openai", endpoint="https://name.example", model="m", transport="sdk", api_version="2024-10-21"
    )
    own = DeploymentSettings(engine="langchain", target="module:model")

    found = await healths({"azure": azure, "own": own, "rules": DeploymentSettings(engine="offline")}, environ={})

    assert {name: each.state for name, each in found.items()} == {
        "azure": "not asked", "own": "not asked", "rules": "ok",
    }  # fmt: skip


async def test_a_secret_is_in_no_detail() -> None:
    said = error_reply(401, "the key s3cret-key is wrong")
    async with WireServer(listing=said) as server:
        for engine in ("openai", "vllm"):
            found = await of(engine, server.url, api_key="env:KEY", environ={"KEY": "s3cret-key"})
            assert found.state in ("refused", "failing")
            assert "s3cret-key" not in repr(found)


async def measured(server: WireServer, wanted: Bench, **more: Any) -> Any:
    settings = DeploymentSettings(endpoint=server.url, model="scripted", **more)
    sessions = Sessions()
    try:
        return await bench(build("it", settings, sessions=sessions, environ={}), wanted)
    finally:
        await sessions.aclose()


async def test_a_bench_asks_so_many_times_with_prompts_that_begin_unlike_each_other() -> None:
    price = PriceSettings(input_usd_per_mtok=1.0, output_usd_per_mtok=10.0)
    async with WireServer() as server:
        server.script(text("one", "two"))
        found = await measured(server, Bench(requests=5, concurrency=2, output_tokens=30), price=price)

    assert (found.answered, found.errors) == (5, {})
    assert (found.input_tokens, found.output_tokens, found.cached_tokens) == (500, 100, 320)
    assert found.cost_usd == pytest.approx(5 * (100 * 1.0 + 20 * 10.0) / 1e6)
    assert 0 < found.first_token_p50_s <= found.first_token_p95_s
    assert found.tokens_s > 0
    prompts = [body["messages"][0]["content"] for body in server.bodies]
    assert len({prompt[:16] for prompt in prompts}) == 5
    assert {len(prompt.split()) // 100 for prompt in prompts} == {10}
    assert {"ignore_eos" in body for body in server.bodies} == {False}


async def test_a_vllm_server_is_told_to_write_on() -> None:
    async with WireServer() as server:
        server.script(text("one"))
        await measured(server, Bench(requests=1, output_tokens=30), engine="vllm")

    assert (server.bodies[0]["min_tokens"], server.bodies[0]["ignore_eos"]) == (30, True)


async def test_what_fails_is_counted_by_its_kind() -> None:
    async with WireServer() as server:
        server.script(text("one"), error_reply(500, "out of order"), error_reply(429, "too many"))
        found = await measured(server, Bench(requests=4, concurrency=1))

    assert found.answered == 1
    assert found.errors == {"failed": 1, "rate_limited": 2}
    assert "out of order" in found.error


def span(deployment: str, *, status: Any = "ok", **attributes: Any) -> SpanRow:
    said = {"segue.deployment": deployment, **attributes}
    return SpanRow("local", "t", "s", "p", "r", "generation", "clerk", 0, 2_000_000_000, status, said)


def test_speeds_are_medians_of_what_was_answered() -> None:
    counted = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 31}
    spans = [
        span("gpu", **counted, **{"segue.first_token_s": 0.5, "segue.cost_usd": 0.25}),
        span("gpu", **counted, **{"segue.first_token_s": 1.0, "segue.cost_usd": 0.25}),
        span("gpu", **counted, **{"segue.first_token_s": 1.5, "gen_ai.usage.cache_read.input_tokens": 60,
                                  "segue.cost_usd": 0.25}),
        span("gpu", status="error", **{"segue.first_token_s": 9.0}),
        span("api", **counted),
    ]  # fmt: skip

    found = speeds(spans)

    assert found["gpu"] == Speed(generations=3, first_token_s=1.0, tokens_s=30.0, hit_rate=0.2, cost_usd=0.75)
    assert found["api"] == Speed(generations=1, cost_usd=None)
