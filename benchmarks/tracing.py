"""What tracing costs: a run with and without it, and one span beside one observation of Langfuse's own SDK.

The run is an agent with one typed tool, five tool rounds and an answer, against a mock model server in a process of its
own, with a SQLite checkpoint each super-step. `cpu_share` is what tracing adds to the CPU of such a run, redaction, the
local store and the writing thread included, over the run without it; the two are measured in turn. `span_us` is the CPU
of one generation span with its usual attributes, from its start until it is redacted and written; `span_x_langfuse` is
that over `start_as_current_observation` of Langfuse's SDK with the same attributes, exported to a server here that
takes everything. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from segue import Agent, Workspace, tool
from segue.router import DeploymentSettings, Router
from segue.tracing.store import TraceStore
from segue.tracing.tracer import Tracer

MOCK = """
import json, sys
from aiohttp import web

def chunk(delta, finish=None, usage=None):
    body = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "mock",
            "choices": [] if usage else [{"index": 0, "delta": delta, "finish_reason": finish}]}
    if usage:
        body["usage"] = usage
    return b"data: " + json.dumps(body).encode() + b"\\n\\n"

USAGE = {"prompt_tokens": 300, "completion_tokens": 12, "total_tokens": 312}

async def chat(request):
    asked = await request.json()
    done = sum(message["role"] == "tool" for message in asked["messages"])
    if done < 5:
        call = {"index": 0, "id": f"call_{done}", "type": "function",
                "function": {"name": "add", "arguments": json.dumps({"a": done, "b": 1})}}
        pieces = chunk({"role": "assistant", "tool_calls": [call]}) + chunk({}, "tool_calls")
    else:
        pieces = chunk({"role": "assistant", "content": "The sum is 5."}) + chunk({}, "stop")
    return web.Response(body=pieces + chunk({}, usage=USAGE) + b"data: [DONE]\\n\\n", content_type="text/event-stream")

async def anything(request):
    await request.read()
    return web.Response(body=b"")

app = web.Application(client_max_size=1 << 30)
app.router.add_post("/v1/chat/completions", chat)
app.router.add_route("*", "/{rest:.*}", anything)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""

ATTRIBUTES = {
    "gen_ai__operation__name": "chat", "gen_ai__response__model": "qwen3-32b", "gen_ai__usage__input_tokens": 1500,
    "gen_ai__usage__output_tokens": 120, "gen_ai__response__finish_reasons": ["stop"], "segue__deployment": "gpu1",
    "segue__route": "default", "segue__why": "route 'default' took 'gpu1', the soonest of 4: first token in 0.2 s",
    "segue__cost_usd": 0.0012, "segue__first_token_s": 0.21,
}  # fmt: skip
SAID = [{"role": "user", "content": "Where is order 1042? I have waited for it since Monday. " * 5}]


@tool(effect="read")
def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: The first.
        b: The second.
    """
    return a + b


async def run_us(port: int, runs: int, *, traced: bool) -> float:
    """Microseconds of this process's CPU for one run, all threads and what is written at the end included."""
    url = f"http://127.0.0.1:{port}/v1"
    router = Router(deployments={"mock": DeploymentSettings(endpoint=url, engine="vllm", model="mock")})
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "segue.toml").write_text(f"[tracing]\nenabled = {str(traced).lower()}\n")
        agent = Agent("adder", instructions="Add.", tools=[add])
        async with Workspace.open(folder, router=router) as ws:
            for _ in range(5):
                await ws.run(agent, "Add up.")
            began = time.process_time()
            for _ in range(runs):
                run = await ws.run(agent, "Add up.")
                assert run.status == "completed", run.error
            ws.tracer.flush(30)
            took = time.process_time() - began
            kept = [node for root in await ws.trace(run.id) for node in root.walk()]
            assert (len(kept) > 20) is traced
    await router.aclose()
    return took / runs * 1e6


def span_us(count: int) -> float:
    """Microseconds of CPU for one span of ours, to the local store."""
    with tempfile.TemporaryDirectory() as folder:
        tracer = Tracer([TraceStore(Path(folder) / "traces.db")])
        began = time.process_time()
        for _ in range(count):
            with tracer.start("generation", "desk", tenant="local", trace_id="a" * 32, run_id="run_1") as span:
                span.payload(input=SAID)
                span.set(**ATTRIBUTES)
                span.payload(output=SAID[0])
        tracer.flush(60)
        took = time.process_time() - began
        assert tracer.dropped == 0
        tracer.close()
    return took / count * 1e6


def langfuse_us(client: Any, count: int) -> float:
    """The same for one observation of Langfuse's SDK."""
    began = time.process_time()
    for _ in range(count):
        with client.start_as_current_observation(
            name="desk", as_type="generation", model="qwen3-32b", input=SAID
        ) as seen:
            seen.update(
                output=SAID[0], usage_details={"input": 1500, "output": 120}, cost_details={"total": 0.0012},
                metadata={"deployment": "gpu1", "route": "default", "why": ATTRIBUTES["segue__why"]},
            )  # fmt: skip
    client.flush()
    took = time.process_time() - began
    return took / count * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--spans", type=int, default=3000)
    parser.add_argument("--port", type=int, default=8774)
    given = parser.parse_args()
    mock = subprocess.Popen([sys.executable, "-c", MOCK, str(given.port)])
    try:
        time.sleep(1.5)
        found: dict[str, list[float]] = {"on": [], "off": [], "span": [], "langfuse": []}
        from langfuse import Langfuse

        client = Langfuse(public_key="pk", secret_key="sk", base_url=f"http://127.0.0.1:{given.port}")
        for _ in range(given.rounds):
            for name in ("off", "on"):
                found[name].append(asyncio.run(run_us(given.port, given.runs, traced=name == "on")))
            found["span"].append(span_us(given.spans))
            found["langfuse"].append(langfuse_us(client, given.spans // 3))
        client.shutdown()
    finally:
        mock.terminate()
        mock.wait(timeout=30)
    pairs = zip(found["on"], found["off"], strict=True)
    figures = {
        "cpu_share": statistics.median(on / off - 1 for on, off in pairs),
        "run_on_us": statistics.median(found["on"]), "run_off_us": statistics.median(found["off"]),
        "span_us": statistics.median(found["span"]), "langfuse_us": statistics.median(found["langfuse"]),
        "span_x_langfuse": statistics.median(
            ours / theirs for ours, theirs in zip(found["span"], found["langfuse"], strict=True)
        ),
    }  # fmt: skip
    figures = {name: round(value, 3) for name, value in figures.items()}
    for name, value in figures.items():
        print(f"{name:16} {value:10}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
