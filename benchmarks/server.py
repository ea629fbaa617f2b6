"""Streams over HTTP: how many at a time, how soon each begins, what each keeps, and what a token costs.

Runs of the scripted model are streamed side by side by the server, in a process of its own; `first_event_p99_ms` is
from the request to its first event while all of them begin at once, `kb_per_stream` what the server's process grows by
for each that is open. `token_x_starlette` is the server's CPU for a streamed token, over that of a bare Starlette
endpoint that streams the same bytes, a chunk a token: both from the difference between a long and a short answer, in
the same process, taken in turn; tokens come as fast as the loop turns. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import httpx

SERVER = """
import asyncio, json, os, sys, resource
from pathlib import Path
import uvicorn
from starlette.applications import Starlette
from starlette.responses import StreamingResponse, JSONResponse
from starlette.routing import Mount, Route
from segue import Agent
from segue.router.deployment import Deployment
from segue.router.types import Reply, TextDelta
from segue.base.messages import assistant, text_of
from segue.base.usage import Usage
from segue.server import app
from segue.workspace.sections import ServerSection

class Typist(Deployment):
    engine = "scripted"
    name = model = "typist"

    async def generate(self, request, *, on_delta=None, deadline=None):
        asked = text_of(request.messages[-1])
        count, wait = [int(each) for each in asked.split()]
        for _ in range(count):
            on_delta(TextDelta("token "))
            await asyncio.sleep(0)
        while wait and not GO.is_set():
            await GO.wait()
        return Reply(message=assistant("token " * count), usage=Usage(model_calls=1), model="typist")

    async def quote(self, input_tokens, output_tokens):
        return 0.0

GO = asyncio.Event()
DATA = b'event: text_added\\ndata: {"type":"text_added","run_id":"run_01m7xp70myrwd89qa8q9","at":1795218964.123456,'
DATA += b'"agent":"typist","text":"token ","task_id":""}\\n\\n'

async def bare(request):
    count = int(request.path_params["count"])

    async def chunks():
        for _ in range(count):
            yield DATA
            await asyncio.sleep(0)

    return StreamingResponse(chunks(), media_type="text/event-stream")

async def figures(request):
    used = resource.getrusage(resource.RUSAGE_SELF)
    rss = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return JSONResponse({"cpu_s": used.ru_utime + used.ru_stime, "rss": rss})

async def go(request):
    GO.set()
    return JSONResponse({})

served = app(Path(sys.argv[1]), agents=[Agent("typist", model=Typist())], login=False,
             settings=ServerSection(requests_per_minute=1_000_000, concurrent_runs=10_000))
served.router.routes[:0] = [Route("/bare/{count}", bare), Route("/figures", figures), Route("/go", go)]
config = uvicorn.Config(served, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", ws="none")
asyncio.run(uvicorn.Server(config).serve())
"""


async def stream(client: httpx.AsyncClient, count: int, *, wait: bool = False) -> tuple[float, bool]:
    """The seconds to the first event of a run, and whether it was completed."""
    began, first, last = time.perf_counter(), 0.0, b""
    asked = {"agent": "typist", "input": f"{count} {int(wait)}"}
    async with client.stream("POST", "/api/v1/runs/stream", json=asked) as response:
        async for chunk in response.aiter_raw():
            first = first or time.perf_counter() - began
            last = (last + chunk)[-2000:]
    return first, response.status_code == 200 and b'"status":"completed"' in last


async def many(client: httpx.AsyncClient, streams: int) -> tuple[list[float], int, float]:
    """Of streams that are open at once: seconds to the first event, how many failed, KiB that each keeps."""
    before = (await client.get("/figures")).json()["rss"]
    tasks = [asyncio.create_task(stream(client, 20, wait=True)) for _ in range(streams)]
    await asyncio.sleep(3)
    kept = (await client.get("/figures")).json()["rss"] - before
    await client.get("/go")
    came = await asyncio.gather(*tasks, return_exceptions=True)
    good = [each for each in came if isinstance(each, tuple) and each[1]]
    return [first for first, _ in good], streams - len(good), kept / streams / 1024


async def cpu_s(client: httpx.AsyncClient, ask: str, count: int) -> float:
    """What one answer of so many tokens costs the server's process."""
    before = (await client.get("/figures")).json()["cpu_s"]
    if ask == "ours":
        await stream(client, count)
    else:
        async with client.stream("GET", f"/bare/{count}") as response:
            async for _ in response.aiter_raw():
                pass
    found: float = (await client.get("/figures")).json()["cpu_s"] - before
    return found


async def token_us(client: httpx.AsyncClient, ask: str, long: int, short: int) -> float:
    """Microseconds of CPU for one more token."""
    return (await cpu_s(client, ask, long) - await cpu_s(client, ask, short)) / (long - short) * 1e6


async def measure(port: int, streams: int, rounds: int) -> dict[str, float]:
    """All figures."""
    limits = httpx.Limits(max_connections=streams + 10)
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits, trust_env=False) as client:
        await until_ready(client)
        await stream(client, 100)
        firsts, failed, kept = await many(client, streams)
        pairs = [
            (await token_us(client, "ours", 8000, 400), await token_us(client, "bare", 8000, 400))
            for _ in range(rounds)
        ]
        ours, bare = (statistics.median(each[side] for each in pairs) for side in (0, 1))
    return {
        "streams": streams, "failed": failed,
        "first_event_p50_ms": round(statistics.median(firsts) * 1e3, 1),
        "first_event_p99_ms": round(statistics.quantiles(firsts, n=100)[98] * 1e3, 1),
        "kb_per_stream": round(kept, 1), "token_us": round(ours, 2), "starlette_token_us": round(bare, 2),
        "token_x_starlette": round(ours / bare, 2),
    }  # fmt: skip


async def until_ready(client: httpx.AsyncClient) -> None:
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        try:
            if (await client.get("/readyz")).status_code == 200:
                return
        except httpx.HTTPError:
            await asyncio.sleep(0.1)
    raise SystemExit("the server did not begin")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--port", type=int, default=8771)
    given = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "server_of_benchmark.py"
        program.write_text(textwrap.dedent(SERVER), encoding="utf-8")
        process = subprocess.Popen([sys.executable, str(program), folder, str(given.port)], env={**os.environ})
        try:
            found = asyncio.run(measure(given.port, given.streams, given.rounds))
        finally:
            process.terminate()
            process.wait(timeout=30)
    for name, value in found.items():
        print(f"{name:20} {value}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
