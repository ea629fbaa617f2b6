from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.router.vllm_double import METRICS, VllmDouble

from segue.base.errors import ConfigError
from segue.router import DeploymentSettings, EndpointFailed, EndpointRefused, EndpointTimeout, EndpointUnreachable
from segue.router.sessions import Sessions
from segue.router.vllm_servers.hang import HangWatch
from segue.router.vllm_servers.metrics import VllmMetrics, read_metrics, scrape

OLD = """
vllm:num_requests_running{model_name="m"} 3.0
vllm:num_requests_waiting{model_name="m"} 2.0
vllm:gpu_cache_usage_perc{model_name="m"} 0.25
vllm:gpu_prefix_cache_queries_total{model_name="m"} 100.0
vllm:gpu_prefix_cache_hits_total{model_name="m"} 80.0
vllm:cache_config_info{block_size="16",enable_prefix_caching="False",num_gpu_blocks="1000"} 1.0
"""


@pytest.fixture
async def sessions() -> AsyncIterator[Sessions]:
    held = Sessions()
    yield held
    await held.aclose()


def at(server: VllmDouble, **more: object) -> DeploymentSettings:
    return DeploymentSettings.model_validate({"engine": "vllm", "endpoint": server.url, "model": "scripted", **more})


def test_the_figures_of_a_real_server_are_read() -> None:
    metrics = read_metrics(METRICS)

    assert metrics == VllmMetrics(
        running=0,
        waiting=0,
        kv_usage=0.0,
        generation_tokens=84,
        prompt_tokens=2784,
        prefix_queries=2784,
        prefix_hits=1664,
        kv_tokens=2_097_152,
        block_size=128,
        prefix_caching=True,
        asleep=False,
        engines=1,
    )
    assert metrics.hit_rate == pytest.approx(0.598, abs=0.001)


def test_the_names_of_older_versions_are_read() -> None:
    metrics = read_metrics(OLD)

    assert (metrics.running, metrics.waiting, metrics.kv_usage) == (3, 2, 0.25)
    assert (metrics.prefix_queries, metrics.prefix_hits, metrics.prefix_caching) == (100, 80, False)
    assert (metrics.kv_tokens, metrics.block_size) == (16_000, 16)


def test_a_name_that_has_a_newer_one_is_not_counted_twice() -> None:
    both = OLD + 'vllm:kv_cache_usage_perc{model_name="m"} 0.5\n'

    assert read_metrics(both).kv_usage == 0.5


def test_engines_are_added_up_and_their_caches_averaged() -> None:
    text = "".join(
        f'vllm:num_requests_running{{engine="{engine}",model_name="a}} b\\"c"}} {running}\n'
        f'vllm:kv_cache_usage_perc{{engine="{engine}",model_name="m"}} {usage}\n'
        f'vllm:cache_config_info{{block_size="16",engine="{engine}",num_gpu_blocks="100"}} 1.0\n'
        for engine, running, usage in ((0, 2, 0.2), (1, 5, 0.6))
    )

    metrics = read_metrics(text)

    assert (metrics.running, metrics.engines, metrics.kv_tokens) == (7, 2, 3200)
    assert metrics.kv_usage == pytest.approx(0.4)


@pytest.mark.parametrize(("state", "asleep"), [("awake", False), ("weights_offloaded", True), ("discard_all", True)])
def test_an_engine_says_whether_it_sleeps(state: str, asleep: bool) -> None:
    states = ("awake", "weights_offloaded", "discard_all")
    text = "".join(
        f'vllm:engine_sleep_state{{engine="0",model_name="m",sleep_state="{each}"}} {float(each == state)}\n'
        for each in states
    )

    assert read_metrics(text).asleep is asleep


@pytest.mark.parametrize("text", ["", "<html>no</html>", "python_info 1.0\n", "vllm:num_requests_waiting\n"])
def test_what_is_not_vllms_is_nobodys_figures(text: str) -> None:
    assert read_metrics(text) == VllmMetrics()


def test_what_is_no_number_counts_as_nothing() -> None:
    text = 'vllm:num_requests_running{engine="0"} NaN\nvllm:num_requests_waiting{engine="0"} zero\n'

    assert read_metrics(text) == VllmMetrics(engines=1)


async def test_a_scrape_reads_beside_v1_with_the_key_and_the_headers(sessions: Sessions) -> None:
    async with VllmDouble(key="s3cret") as server:
        settings = at(server, api_key="env:KEY", headers={"X-Team": "blue"})

        metrics = await scrape(settings, name="gpu", sessions=sessions, environ={"KEY": "s3cret"})

    assert metrics.generation_tokens == 84
    (seen,) = server.requests
    assert (seen.path, seen.headers["authorization"], seen.headers["x-team"]) == ("/metrics", "Bearer s3cret", "blue")


async def test_a_scrape_of_something_else_is_an_error_with_the_way_out(sessions: Sessions) -> None:
    async with VllmDouble(metrics="python_info 1.0\n") as server:
        with pytest.raises(EndpointFailed, match=r"'gpu' gives no figures of vLLM.* --disable-log-stats"):
            await scrape(at(server), name="gpu", sessions=sessions)


async def test_a_scrape_that_is_refused_late_or_unreachable_says_so(sessions: Sessions) -> None:
    async with VllmDouble(metrics="") as server:
        with pytest.raises(EndpointRefused, match="404"):
            await scrape(at(server), name="gpu", sessions=sessions)
        settings = at(server)
    with pytest.raises(EndpointUnreachable):
        await scrape(settings, name="gpu", sessions=sessions)
    with pytest.raises(ConfigError, match="MISSING"):
        await scrape(settings.model_copy(update={"api_key": "env:MISSING"}), name="gpu", sessions=sessions, environ={})


async def test_a_scrape_has_a_deadline(sessions: Sessions) -> None:
    from tests.router.wire_server import Scripted, WireServer

    async with WireServer(listing=Scripted(body=b"vllm:", stall_at=3)) as server:
        settings = DeploymentSettings(engine="vllm", endpoint=server.url, model="m")

        with pytest.raises(EndpointTimeout, match=r"within 0\.01 s"):
            await scrape(settings, name="gpu", sessions=sessions, timeout_s=0.01)


def reading(running: int = 0, tokens: int = 0, **more: object) -> VllmMetrics:
    return VllmMetrics(**{"running": running, "generation_tokens": tokens, "engines": 1, **more})  # type: ignore[arg-type]


def test_an_engine_with_work_whose_tokens_stand_still_hangs_after_the_time_that_it_is_given() -> None:
    watch = HangWatch(still_s=10)

    said = [watch.see(reading(2, 50), now=now) for now in (0.0, 5.0, 9.9, 10.0)]

    assert said == [False, False, False, True]
    assert watch.still_for_s == 10.0


def test_a_token_of_an_answer_or_of_a_prompt_starts_the_time_anew() -> None:
    watch = HangWatch(still_s=10)
    watch.see(reading(2, 50), now=0)
    watch.see(reading(2, 51), now=9)
    watch.see(reading(2, 51, prompt_tokens=8), now=18)

    assert not watch.see(reading(2, 51, prompt_tokens=8), now=27)
    assert watch.see(reading(2, 51, prompt_tokens=8), now=28)


def test_an_idle_engine_does_not_hang_however_long_it_stands_still() -> None:
    watch = HangWatch(still_s=10)
    watch.see(reading(0, 50), now=0)

    assert not watch.see(reading(0, 50), now=1000)
    assert not watch.see(reading(1, 50), now=1001), "it has just got work"
    assert watch.see(reading(1, 50), now=1010)


def test_an_engine_that_stopped_while_idle_is_found_by_the_requests_that_wait_for_it() -> None:
    watch = HangWatch(still_s=10)
    watch.see(reading(0, 50), now=0)

    watch.see(reading(0, 50), now=5, in_flight=1)

    assert watch.see(reading(0, 50), now=15, in_flight=1)


def test_a_sleeping_or_restarted_engine_does_not_hang() -> None:
    watch = HangWatch(still_s=10)
    watch.see(reading(1, 50), now=0)

    assert not watch.see(reading(1, 50, asleep=True), now=20)
    assert not watch.see(reading(1, 0), now=25), "its counters have begun anew"
    assert watch.see(reading(1, 0), now=35)
