"""A loop over OpenAI's SDK, no framework. Variant `stream`: a streamed answer, read chunk by chunk."""

from __future__ import annotations

import json
import os

import _harness
from _task import TOOLS, beginning, results


async def setup(base_url: str, model: str):
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=base_url, api_key="sk-mock")

    async def run_one(agent: object, number: int) -> str:
        messages = beginning()
        while True:
            answer = await client.chat.completions.create(model=model, messages=messages, tools=TOOLS)
            said = answer.choices[0].message
            if not said.tool_calls:
                return said.content
            calls = [call.model_dump(exclude_none=True) for call in said.tool_calls]
            messages += [{"role": "assistant", "content": said.content, "tool_calls": calls}]
            messages += results(calls, json.loads)

    async def stream_one(agent: object, number: int) -> str:
        text = ""
        async for chunk in await client.chat.completions.create(
            model=model, messages=beginning(), tools=TOOLS, stream=True, stream_options={"include_usage": True}
        ):
            for choice in chunk.choices:
                text += choice.delta.content or ""
        return text

    return object, stream_one if os.environ["BENCH_VARIANT"] == "stream" else run_one


if __name__ == "__main__":
    _harness.main(setup)
