"""What the router costs: CPU for a call, a choice and a streamed chunk, beside a bare aiohttp call and other clients.

A mock server in a process of its own answers at once. In this process, in turn: a bare aiohttp call with orjson, the
openai SDK, and ours: a route of four deployments, end to end, with account, breaker, limits and prices. LiteLLM's
Router runs in an environment of its own (`.venv-litellm`, made when it is not there; `--no-litellm` leaves it out),
between ours and ours again. `cpu_x_…` are ratios of CPU for a call at 100 side by side; `choice_us` is one placement
among eight hosts; `chunk_x_aiohttp` is the CPU for one more chunk of a stream over that of an aiohttp loop that parses
each. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from segue.base.messages import user
from segue.router import DeploymentSettings, GenerationRequest, PriceSettings, Router, RouteSettings
from segue.router.placing.fleet import Fleet
from segue.router.placing.host import Asked

ROOT = Path(__file__).resolve().parent.parent
LITELLM = "litellm>=1.100,<2"

MOCK = """
import asyncio, json, sys
from aiohttp import web

def chunk(delta, finish=None, usage=None):
    body = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "mock",
            "choices": [] if usage else [{"index": 0, "delta": delta, "finish_reason": finish}]}
    if usage:
        body["usage"] = usage
    return b"data: " + json.dumps(body).encode() + b"\\n\\n"

USAGE = {"prompt_tokens": 1500, "completion_tokens": 9, "total_tokens": 1509}
WHOLE = json.dumps({"id": "c-1", "object": "chat.completion", "created": 1, "model": "mock", "usage": USAGE,
    "choices": [{"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "Order 1042 is on its way."}}]}).encode()
SHORT = (chunk({"role": "assistant", "content": ""}) + chunk({"content": "Order 1042 is on its way."})
         + chunk({}, "stop") + chunk({}, usage=USAGE) + b"data: [DONE]\\n\\n")

async def chat(request):
    asked = await request.json()
    count = asked.get("max_tokens", 0)
    if not asked.get("stream"):
        return web.Response(body=WHOLE, content_type="application/json")
    if count < 2:
        return web.Response(body=SHORT, content_type="text/event-stream")
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(chunk({"role": "assistant", "content": ""}))
    for _ in range(count):
        await response.write(chunk({"content": "token "}))
        await asyncio.sleep(0)
    await response.write(chunk({}, "stop") + chunk({}, usage=USAGE) + b"data: [DONE]\\n\\n")
    await response.write_eof()
    return response

app = web.Application()
app.router.add_post("/v1/chat/completions", chat)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""

PEER = """
import asyncio, json, os, sys, time
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
from litellm import Router
litellm.telemetry = False
port, body = sys.argv[1], json.load(sys.stdin)
model = {"model": "openai/mock", "api_base": f"http://127.0.0.1:{port}/v1", "api_key": "none"}
router = Router(model_list=[{"model_name": "m", "litellm_params": model} for _ in range(4)])

async def call():
    await router.acompletion(model="m", messages=body["messages"], tools=body["tools"])

async def many(count, side):
    async def worker():
        for _ in range(count // side):
            await call()
    await asyncio.gather(*(worker() for _ in range(side)))

async def main():
    await many(100, 50)
    for _ in range(3):
        began = time.process_time()
        await many(300, 100)
        print((time.process_time() - began) / 300 * 1e6, flush=True)

asyncio.run(main())
"""

WORDS = "The customer writes about order 1042, which has not come, and asks for the money back. "
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": f"tool_{number}",
            "description": "Looks something up in the shop's database, by an id and a range of days.",
            "parameters": {
                "type": "object",
                "properties": {"order_id": {"type": "string"}, "days": {"type": "integer"}},
                "required": ["order_id"],
            },
        },
    }
    for number in range(8)
]
MESSAGES = [{"role": "system", "content": WORDS * 20}, *[{"role": "user", "content": WORDS * 10} for _ in range(5)]]
BODY = {"model": "mock", "messages": MESSAGES, "tools": TOOLS}


async def many(call: Callable[[], Awaitable[Any]], count: int, side: int) -> float:
    """Microseconds of this process's CPU for one call."""

    async def worker() -> None:
        for _ in range(count // side):
            await call()

    began = time.process_time()
    await asyncio.gather(*(worker() for _ in range(side)))
    return (time.process_time() - began) / (count // side * side) * 1e6


def ours(port: int) -> Router:
    """A route of four deployments."""
    free = PriceSettings(input_usd_per_mtok=0.1, output_usd_per_mtok=0.4)
    url = f"http://127.0.0.1:{port}/v1"
    held = {f"gpu{at}": DeploymentSettings(endpoint=url, engine="vllm", model="mock", price=free) for at in range(4)}
    return Router(deployments=held, routes={"default": RouteSettings(deployments=tuple(held))})


async def measure(port: int, rounds: int, count: int, peer: Callable[[], list[float]] | None) -> dict[str, float]:
    """All figures."""
    from openai import AsyncOpenAI

    url = f"http://127.0.0.1:{port}/v1"
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    sdk, router = AsyncOpenAI(base_url=url, api_key="none", max_retries=0), ours(port)
    tools = tuple(TOOLS)
    messages: list[Any] = [{**message, "id": f"m-{at}", "tokens": 300} for at, message in enumerate(MESSAGES)]
    held = {"session": 0}

    async def bare() -> None:
        async with session.post(
            f"{url}/chat/completions", data=orjson.dumps(BODY), headers={"Content-Type": "application/json"}
        ) as response:
            orjson.loads(await response.read())

    async def by_sdk() -> None:
        await sdk.chat.completions.create(**BODY)  # type: ignore[call-overload]

    async def by_us() -> None:
        held["session"] += 1
        await router.generate(
            GenerationRequest(
                messages=messages, tools=tools, session=f"s-{held['session'] % 64}", input_estimate=1500, speaker="desk"
            )
        )

    async def bare_stream(tokens: int) -> None:
        async with session.post(
            f"{url}/chat/completions", json={**BODY, "stream": True, "max_tokens": tokens}
        ) as response:
            async for line in response.content:
                if line.startswith(b"data: ") and not line.startswith(b"data: [DONE]"):
                    orjson.loads(line[6:])

    async def our_stream(tokens: int) -> None:
        request = GenerationRequest(messages=[user("hi")], max_output_tokens=tokens)
        await router.generate(request, on_delta=lambda delta: None)

    for call in (bare, by_sdk, by_us):
        await many(call, 200, 50)
    found: dict[str, list[float]] = {name: [] for name in ("bare", "sdk", "ours", "bare_seq", "ours_seq")}
    for _ in range(rounds):
        found["bare"].append(await many(bare, count, 100))
        found["ours"].append(await many(by_us, count, 100))
        found["sdk"].append(await many(by_sdk, max(200, count // 5), 100))
        found["bare_seq"].append(await many(bare, count // 4, 1))
        found["ours_seq"].append(await many(by_us, count // 4, 1))
    chunks = [(await chunk_us(our_stream), await chunk_us(bare_stream)) for _ in range(rounds)]
    peers: list[float] = []
    if peer is not None:
        before = await many(by_us, count, 100)
        peers = await asyncio.to_thread(peer)
        found["ours_beside"] = [before, await many(by_us, count, 100)]
    await session.close()
    await sdk.close()
    await router.core.aclose()
    middle = {name: statistics.median(values) for name, values in found.items()}
    out = {
        "aiohttp_us": middle["bare"], "ours_us": middle["ours"], "openai_sdk_us": middle["sdk"],
        "cpu_x_aiohttp": middle["ours"] / middle["bare"],
        "cpu_x_aiohttp_sequential": middle["ours_seq"] / middle["bare_seq"],
        "cpu_x_openai_sdk": middle["ours"] / middle["sdk"],
    }  # fmt: skip
    if peers:
        out["litellm_router_us"] = statistics.median(peers)
        out["cpu_x_litellm_router"] = middle["ours_beside"] / out["litellm_router_us"]
    our_chunk, bare_chunk = (statistics.median(pair[side] for pair in chunks) for side in (0, 1))
    out |= {"chunk_us": our_chunk, "chunk_x_aiohttp": our_chunk / bare_chunk, "choice_us": choice_us()}
    return {name: round(value, 3) for name, value in out.items()}


async def chunk_us(stream: Callable[[int], Awaitable[None]], short: int = 100, long: int = 2100) -> float:
    """Microseconds of CPU for one more chunk."""
    took = []
    for tokens in (short, long):
        began = time.process_time()
        await stream(tokens)
        took.append(time.process_time() - began)
    return (took[1] - took[0]) / (long - short) * 1e6


def choice_us(hosts: int = 8, sessions: int = 200, count: int = 4000) -> float:
    """Microseconds for one placement among hosts that hold conversations of about a hundred pieces."""
    fleet = Fleet([f"gpu{at}" for at in range(hosts)])
    names = list(fleet.hosts)
    chains = [
        tuple(hash((session // 20, at // 40, session if at > 40 else 0, at)) for at in range(100))
        for session in range(sessions)
    ]
    now, took = 0.0, 0.0
    for number in range(count):
        asked = Asked(input_tokens=12_800, output_tokens=128, chain=chains[number % sessions], piece_tokens=128)
        now += 0.01
        began = time.perf_counter()
        pick = fleet.policy.choose(asked, fleet.usable(names, now), now)
        took += time.perf_counter() - began
        placement = fleet.begin(asked, pick, now)
        fleet.first_token(placement, now + 0.1)
        fleet.went_well(placement, now + 1.0, output_tokens=100, cached_tokens=6000)
    return took / count * 1e6


def litellm(port: int) -> Callable[[], list[float]]:
    """Measures LiteLLM's Router in an environment of its own."""
    folder = ROOT / ".venv-litellm"
    python = folder / "bin" / "python"
    if not python.exists():
        print("making .venv-litellm; this is done once", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-qq", "--upgrade", "pip"], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-qq", LITELLM], check=True)

    def run() -> list[float]:
        done = subprocess.run(
            [str(python), "-c", PEER, str(port)], input=json.dumps(BODY), capture_output=True, text=True, check=True,
            env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}, timeout=300,
        )  # fmt: skip
        return [float(line) for line in done.stdout.split()]

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--port", type=int, default=8772)
    parser.add_argument("--no-litellm", action="store_true")
    given = parser.parse_args()
    mock = subprocess.Popen([sys.executable, "-c", MOCK, str(given.port)])
    try:
        time.sleep(1.5)
        peer = None if given.no_litellm else litellm(given.port)
        found = asyncio.run(measure(given.port, given.rounds, given.count, peer))
    finally:
        mock.terminate()
        mock.wait(timeout=30)
    for name, value in found.items():
        print(f"{name:26} {value}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
