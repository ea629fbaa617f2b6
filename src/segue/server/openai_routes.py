"""A route as a model: OpenAI's chat in, one generation of the router out, whole or as it comes, with tool calls.

Nothing is kept of it: no thread, no run. What the router does when a deployment fails is in `segue.router`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from segue.base.errors import SegueError
from segue.base.messages import Message, coerce, text_of
from segue.router.errors import BrokenStream
from segue.router.types import Delta, Generation, GenerationRequest, Reset, TextDelta
from segue.server.openai_wire import DONE, ChatAsked, Chunks
from segue.server.serving import Server


def request_of(asked: ChatAsked) -> GenerationRequest:
    """The question, as the router takes it.

    Raises:
        BadInput: A message is none.
    """
    stop = (asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ())
    messages: list[Message] = [coerce(each.plain()) for each in asked.messages]
    return GenerationRequest(
        messages=messages, tools=asked.tools or (), tool_choice=asked.tool_choice, temperature=asked.temperature,
        max_output_tokens=asked.max_completion_tokens or asked.max_tokens, stop=stop,
        parallel_tool_calls=asked.parallel_tool_calls, extra=asked.passed_on(),
    )  # fmt: skip


async def complete(server: Server, route: str, asked: ChatAsked, chunks: Chunks) -> dict[str, Any]:
    """The whole answer."""
    core = await server.router()
    found = await core.generate(request_of(asked), route=route)
    message: dict[str, Any] = {"role": "assistant", "content": text_of(found.message) or None, "refusal": None}
    if calls := found.message.get("tool_calls"):
        message["tool_calls"] = calls
    return chunks.whole(message, found.finish_reason, found.usage)


async def stream(server: Server, route: str, asked: ChatAsked, chunks: Chunks) -> AsyncIterator[bytes]:
    """The answer as it comes; tool calls at its end, since only then they are what the model meant."""
    core, pieces = await server.router(), asyncio.Queue[Delta | None]()
    request = request_of(asked)

    async def generate() -> Generation:
        try:
            return await core.generate(request, route=route, on_delta=pieces.put_nowait)
        finally:
            pieces.put_nowait(None)

    task = asyncio.get_running_loop().create_task(generate())
    said = 0
    try:
        yield chunks.begin()
        while (piece := await pieces.get()) is not None:
            if isinstance(piece, TextDelta):
                said += len(piece.text)
                yield chunks.text(piece.text)
            elif isinstance(piece, Reset) and said:
                raise BrokenStream(route, "broke off after text had been given out", detail=piece.reason)
        for chunk in _end(await task, asked, chunks, said):
            yield chunk
    except SegueError as error:
        yield chunks.error(str(error), error.error_id)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _end(found: Generation, asked: ChatAsked, chunks: Chunks, said: int) -> list[bytes]:
    out = []
    if rest := text_of(found.message)[said:]:
        out.append(chunks.text(rest))
    calls = [{"index": index, **call} for index, call in enumerate(found.message.get("tool_calls", ()))]
    if calls:
        out.append(chunks.delta({"tool_calls": calls}))
    out.append(chunks.delta({}, found.finish_reason))
    if asked.wants_usage:
        out.append(chunks.usage(found.usage))
    return [*out, DONE]
