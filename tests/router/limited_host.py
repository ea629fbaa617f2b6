"""A model server of its own that fails one time in ten, stalls one in twenty, and refuses what is too much.

`python -m tests.router.limited_host PER_SECOND SEED` prints its port; `GET /figures` says what came and when.
"""

from __future__ import annotations

import asyncio
import sys
import time
from random import Random

from aiohttp import web
from tests.router.wire_server import sse, text_chunks

BODY = sse(*text_chunks("fine"))


class Host:
    """Answers, and keeps count."""

    def __init__(self, per_second: int, seed: int) -> None:
        self.per_second = per_second
        self.random = Random(seed)
        self.came: list[float] = []
        self.refused = self.failed = self.stalled = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One generation."""
        now = time.monotonic()
        if sum(now - at < 1.0 for at in self.came[-self.per_second :]) >= self.per_second:
            self.refused += 1
            return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "0.2"})
        self.came.append(now)
        await request.read()
        chance = self.random.random()
        if chance < 0.1:
            self.failed += 1
            return web.json_response({"error": {"message": "broken"}}, status=500)
        if chance < 0.15:
            self.stalled += 1
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            await response.write(BODY[:200])
            await asyncio.sleep(5)
            return response
        return web.Response(body=BODY, content_type="text/event-stream")

    async def figures(self, request: web.Request) -> web.Response:
        """What came."""
        return web.json_response(
            {"came": self.came, "refused": self.refused, "failed": self.failed, "stalled": self.stalled}
        )


async def main(per_second: int, seed: int) -> None:
    """Serve until the process is ended."""
    host = Host(per_second, seed)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", host.answer)
    app.router.add_get("/figures", host.figures)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
