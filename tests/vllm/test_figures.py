"""The figures of a real vLLM while it works, while it is idle, and while its worker is stopped."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest
from tests.vllm.conftest import ADAPTER
from tests.vllm.servers import VllmServer

from segue.base.messages import user
from segue.router import GenerationRequest
from segue.router.sessions import Sessions
from segue.router.vllm_servers.check import check
from segue.router.vllm_servers.families import FAMILIES
from segue.router.vllm_servers.hang import HangWatch
from segue.router.vllm_servers.metrics import VllmMetrics, scrape

LONG = GenerationRequest(messages=[user("Go on and on.")], max_output_tokens=4000, extra={"ignore_eos": True})


@pytest.fixture
async def sessions() -> AsyncIterator[Sessions]:
    held = Sessions()
    yield held
    await held.aclose()


async def figures(server: VllmServer, sessions: Sessions) -> VllmMetrics:
    return await scrape(server.settings(), name="gpu", sessions=sessions, timeout_s=10)


async def test_the_counters_move_by_what_a_generation_says_of_its_tokens(
    server: VllmServer, sessions: Sessions
) -> None:
    model = server.deployment()
    before = await figures(server, sessions)

    reply = await model.generate(GenerationRequest(messages=[user("Hello there.")], max_output_tokens=8))

    await model.aclose()
    after = await figures(server, sessions)
    assert after.prompt_tokens - before.prompt_tokens == reply.usage.input_tokens
    assert after.generation_tokens - before.generation_tokens == reply.usage.output_tokens
    assert (after.engines, after.prefix_caching, after.asleep) == (1, True, False)
    assert after.kv_tokens
    assert after.block_size
    assert after.kv_tokens % after.block_size == 0


async def test_a_generation_is_seen_running_and_gone_when_it_is_cancelled(
    server: VllmServer, sessions: Sessions
) -> None:
    model = server.deployment()
    task = asyncio.create_task(model.generate(LONG))
    try:
        async with asyncio.timeout(60):
            while not (await figures(server, sessions)).running:  # noqa: ASYNC110 - it happens in the server
                await asyncio.sleep(0.05)
    finally:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(60):
        while (await figures(server, sessions)).running:  # noqa: ASYNC110 - it happens in the server
            await asyncio.sleep(0.05)
    await model.aclose()


@pytest.mark.parametrize("busy", [True, False])
async def test_a_stopped_worker_is_found_though_the_server_is_healthy(
    server: VllmServer, sessions: Sessions, busy: bool
) -> None:
    model, watch = server.deployment(idle_s=600.0, first_token_s=600.0), HangWatch(still_s=2)
    begun, task = asyncio.Event(), asyncio.create_task(asyncio.sleep(0))
    if busy:
        task = asyncio.create_task(model.generate(LONG, on_delta=lambda delta: begun.set()))  # type: ignore[arg-type]
        await begun.wait()
    server.signal_worker(signal.SIGSTOP)
    try:
        if not busy:
            task = asyncio.create_task(model.generate(LONG))  # type: ignore[arg-type]
        async with asyncio.timeout(60):
            while not watch.see(await figures(server, sessions), now=time.monotonic(), in_flight=1):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        metrics = await figures(server, sessions)
        healthy = await asyncio.to_thread(server.is_healthy)
    finally:
        server.signal_worker(signal.SIGCONT)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert healthy
    assert bool(metrics.running) is busy, "an engine that stopped while idle never says that it has work"
    async with asyncio.timeout(60):
        await model.generate(GenerationRequest(messages=[user("Still there?")], max_output_tokens=2))
        while watch.see(await figures(server, sessions), now=time.monotonic()):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    await model.aclose()


async def test_a_server_that_segue_starts_has_nothing_missing(server: VllmServer, sessions: Sessions) -> None:
    for model in ("tiny", ADAPTER):
        found = await check(server.settings(model=model), name="gpu", sessions=sessions)

        assert {each.name: each.detail for each in found if each.state != "ok"} == {}


def test_check_at_the_terminal_says_so_too(server: VllmServer) -> None:
    command = [sys.executable, "-c", "from segue.cli.main import main; main()", "vllm", "check", server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 1, "context_tokens is not set for a URL"
    assert done.stdout.count("missing") == 1
    assert "context_tokens = 8192" in done.stdout


def test_every_parser_of_the_table_is_one_that_vllm_has(vllm_python: str) -> None:
    ask = (
        "from vllm.tool_parsers import ToolParserManager as T; from vllm.reasoning import ReasoningParserManager as R;"
        "print('TOOLS', *T.list_registered()); print('REASONING', *R.list_registered())"
    )
    done = subprocess.run([vllm_python, "-c", ask], capture_output=True, text=True, timeout=300, check=True)
    lines = {line.split()[0]: set(line.split()[1:]) for line in done.stdout.splitlines() if line.strip()}

    assert {each.tools for each in FAMILIES if each.tools} - lines["TOOLS"] == set()
    assert {each.reasoning for each in FAMILIES if each.reasoning} - lines["REASONING"] == set()
