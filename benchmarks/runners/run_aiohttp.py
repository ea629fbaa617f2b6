"""The floor: a loop of twenty lines over aiohttp and orjson that checks, keeps and tells nothing."""

from __future__ import annotations

import _harness
from _task import TOOLS, beginning, results


async def setup(base_url: str, model: str):
    import aiohttp
    import orjson

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
        headers={"Authorization": "Bearer sk-mock", "Content-Type": "application/json"},
    )

    async def run_one(agent: object, number: int) -> str:
        messages = beginning()
        while True:
            body = orjson.dumps({"model": model, "messages": messages, "tools": TOOLS})
            async with session.post(f"{base_url}/chat/completions", data=body) as response:
                said = orjson.loads(await response.read())["choices"][0]["message"]
            messages.append(said)
            if not said.get("tool_calls"):
                return said["content"]
            messages += results(said["tool_calls"], orjson.loads)

    return object, run_one


if __name__ == "__main__":
    _harness.main(setup)
