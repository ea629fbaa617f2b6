"""A scripted model server that speaks the real wire, over a plain socket, so that every byte is in the test's hand.

In: replies, given out one by one to `POST /v1/chat/completions`; `GET /v1/models` and `GET /api/tags` list `models`.
Out: what the client sent, in `requests`. The chunks are those that OpenAI's service and vLLM send.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """One reply of the server."""

    body: bytes
    status: int = 200
    content_type: str = "text/event-stream; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    cut_at: int | None = None
    """Drop the connection after so many bytes of the body."""
    stall_at: int | None = None
    """Send so many bytes of the body, then nothing more until the client hangs up or the server closes."""
    hang_up: bool = False
    """Close the connection instead of answering."""
    piece: int = 0
    """Send the body in pieces of so many bytes; 0 sends it whole."""
    raw: bool = False
    """The body is all that is sent, head and framing included, and then the connection is closed."""


@dataclass
class Seen:
    """One request that the server has read."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class WireServer:
    """Listens on loopback for as long as its context lasts."""

    models: Sequence[dict[str, Any]] = ({"id": "scripted", "object": "model", "owned_by": "vllm"},)
    listing: Scripted | None = None
    """Given to every GET instead of `models`."""
    replies: deque[Scripted] = field(default_factory=deque)
    requests: list[Seen] = field(default_factory=list)
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the first request."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client hangs up on a reply that stalls."""

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def base(self) -> str:
        """The address without `/v1`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{self.base}/v1"

    def script(self, *replies: Scripted) -> None:
        """Give these replies next; the last one is given again and again."""
        self.replies.extend(replies)

    @property
    def bodies(self) -> list[Any]:
        """The bodies of the chat completions that were asked for."""
        return [seen.body for seen in self.requests if seen.path.endswith("/chat/completions")]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (seen := await _read_request(reader)) is not None:
                self.requests.append(seen)
                self.asked.set()
                if not await self._answer(seen, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if seen.method == "GET" and self.listing is not None:
            return await self._send(reader, writer, self.listing)
        if seen.method == "GET":
            key, name = ("models", "name") if seen.path == "/api/tags" else ("data", "id")
            listed = [{**model, name: model["id"]} for model in self.models]
            return await self._send(reader, writer, json_reply({"object": "list", key: listed}))
        reply = self.replies.popleft() if len(self.replies) > 1 else self.replies[0]
        return await self._send(reader, writer, reply)

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply: Scripted) -> bool:
        """Send one reply; false where the connection is not to be used again."""
        if reply.hang_up:
            return False
        if reply.raw:
            writer.write(reply.body)
            await writer.drain()
            return False
        headers = [("Content-Type", reply.content_type), ("Transfer-Encoding", "chunked"), *reply.headers]
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        writer.write(f"HTTP/1.1 {reply.status} Scripted\r\n{head}\r\n".encode())
        until = reply.cut_at if reply.cut_at is not None else reply.stall_at
        body = reply.body if until is None else reply.body[:until]
        step = reply.piece or max(1, len(body))
        for at in range(0, len(body), step):
            writer.write(_framed(body[at : at + step]))
            await writer.drain()
        if reply.stall_at is not None:
            await reader.read()
            self.left.set()
        if reply.cut_at is not None:
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


async def _read_request(reader: asyncio.StreamReader) -> Seen | None:
    line = (await reader.readline()).decode()
    if not line:
        return None
    method, path, _ = line.split(" ", 2)
    headers = {}
    while line := (await reader.readline()).decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Seen(method, path, headers, json.loads(body) if body else None)


def _framed(piece: bytes) -> bytes:
    return f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


def json_reply(data: Any, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Scripted:
    """A reply that is not streamed."""
    body = json.dumps(data, ensure_ascii=False).encode()
    return Scripted(body=body, status=status, content_type="application/json", headers=headers)


def error_reply(status: int, message: str, **more: Any) -> Scripted:
    """An error as OpenAI and vLLM shape it; `headers` are those of the reply."""
    headers = tuple(more.pop("headers", {}).items())
    error = {"message": message, "type": more.pop("type", "Error"), "param": None, "code": None, **more}
    return json_reply({"error": error}, status=status, headers=headers)


def chunk(delta: dict[str, Any], *, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk of a streamed completion."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "scripted-1",
        "choices": [choice],
        **more,
    }


def usage_chunk(prompt: int = 100, completion: int = 20, cached: int = 64) -> dict[str, Any]:
    """The last chunk, with usage and without choices."""
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    return {**chunk({}), "choices": [], "usage": usage}


def sse(*chunks: dict[str, Any] | bytes, done: bool = True, newline: bytes = b"\n") -> bytes:
    """Chunks as an event stream; bytes are put in as they stand."""
    out = b""
    for each in chunks:
        data = each if isinstance(each, bytes) else b"data: " + json.dumps(each, ensure_ascii=False).encode()
        out += data + newline + newline
    return out + (b"data: [DONE]" + newline + newline if done else b"")


def text_chunks(*pieces: str, finish: str = "stop") -> list[dict[str, Any]]:
    """A streamed text, with its usage."""
    first = chunk({"role": "assistant", "content": ""})
    return [first, *(chunk({"content": piece}) for piece in pieces), chunk({}, finish=finish), usage_chunk()]


def text(*pieces: str, **more: Any) -> Scripted:
    """A streamed text as a reply."""
    return Scripted(body=sse(*text_chunks(*pieces)), **more)


def call_piece(index: int, arguments: str, *, call_id: str = "", name: str = "") -> dict[str, Any]:
    """A piece of a tool call: id and name with the first piece only."""
    function: dict[str, Any] = {"arguments": arguments}
    piece: dict[str, Any] = {"index": index, "function": function}
    if call_id:
        piece.update(id=call_id, type="function")
        function["name"] = name
    return piece


def two_calls() -> list[dict[str, Any]]:
    """A recorded answer: text, then two parallel tool calls whose pieces arrive interleaved, with unicode in all."""
    return [
        chunk({"role": "assistant", "content": "Zwei Blicke… "}),
        chunk({"content": "早 🙂"}),
        chunk({"tool_calls": [call_piece(0, "", call_id="call_a", name="find_customer")]}),
        chunk({"tool_calls": [call_piece(0, '{"email": "ann')]}),
        chunk({"tool_calls": [call_piece(1, "", call_id="call_b", name="find_order")]}),
        chunk({"tool_calls": [call_piece(0, '@müller.example"}'), call_piece(1, '{"order_id"')]}),
        chunk({"tool_calls": [call_piece(1, ": 1042}")]}),
        chunk({}, finish="tool_calls"),
        usage_chunk(),
    ]
