"""A model server that answers at once, for what is measured here: chat completions in, plain and streamed.

What it answers depends on the model's name and the request alone:

- `toolloop-5`: a call of the request's first tool in five rounds, then an answer; a run of it makes six calls;
- `words-100`: a hundred words and the answer, all at once; `words` alone, as many as the request's `max_tokens` says,
  five where it says nothing;
- `drip-100`: the same, each word streamed by itself, so many milliseconds after the one before as `--drip-ms` says.

A `GET` of `/counts` tells what was asked since the last `POST` to `/counts`; whatever else is posted is taken and
thrown away, as a collector of traces would. One protocol on plain asyncio reads requests by their length, which is what
clients of models send; it takes some tens of microseconds a call, so that it never is what a benchmark waits for.
`serving()` runs it in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import orjson

ANSWER = "The sum is 5."
WORDS = 5
USAGE = {"prompt_tokens": 300, "completion_tokens": 12, "total_tokens": 312}
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_LAST = b"0\r\n\r\n"


class MockModel:
    """The server, from here: where it listens and what it was asked."""

    def __init__(self, port: int) -> None:
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/v1"
        self.port = port

    def counts(self) -> dict[str, Any]:
        """`calls`, `streamed` and `posts` since the last `reset`, `connections` and the server's CPU seconds too."""
        with urllib.request.urlopen(f"{self.root}/counts", timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def reset(self) -> None:
        """Count from nothing."""
        urllib.request.urlopen(urllib.request.Request(f"{self.root}/counts", method="POST"), timeout=30).close()


@contextmanager
def serving(port: int = 0, *, drip_ms: float = 20.0) -> Iterator[MockModel]:
    """The server in a process of its own, for as long as the context lasts; port 0 is any that is free."""
    command = [sys.executable, __file__, "--port", str(port), "--drip-ms", str(drip_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the mock model server did not start at port {port}")
            yield MockModel(int(line))
        finally:
            process.terminate()


def reply(asked: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The tool calls and the words of the answer to a request."""
    kind, _, number = str(asked["model"]).rpartition("/")[2].partition("-")
    if kind == "toolloop":
        round_ = _rounds(asked["messages"])
        if round_ < int(number) and asked.get("tools"):
            return [_call(asked["tools"][0]["function"]["name"], round_)], []
        return [], [ANSWER]
    if number:
        return [], [*["word "] * int(number), ANSWER]
    return [], ["word "] * int(asked.get("max_tokens") or asked.get("max_completion_tokens") or WORDS)


def _rounds(messages: list[dict[str, Any]]) -> int:
    """How many calls were made since a person last said something."""
    rounds = 0
    for message in reversed(messages):
        if message["role"] == "user":
            break
        rounds += bool(message.get("tool_calls"))
    return rounds


def _call(name: str, round_: int) -> dict[str, Any]:
    arguments = json.dumps({"a": round_, "b": 1})
    return {"id": f"call_{round_}", "type": "function", "function": {"name": name, "arguments": arguments}}


def whole(asked: dict[str, Any]) -> bytes:
    """The body of an answer that is not streamed."""
    calls, words = reply(asked)
    message: dict[str, Any] = {"role": "assistant", "content": "".join(words) or None}
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop", "logprobs": None}
    return orjson.dumps(
        {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": asked["model"],
            "choices": [choice], "usage": USAGE,
        }
    )  # fmt: skip


def chunks(asked: dict[str, Any]) -> list[bytes]:
    """The events of an answer that is streamed, each as a piece of HTTP's chunked coding."""
    calls, words = reply(asked)
    model = str(asked["model"])
    found = [_said(model, "")]
    if calls:
        found.append(_event(model, {"tool_calls": [{"index": at, **call} for at, call in enumerate(calls)]}))
    found += [_said(model, word) for word in words]
    found.append(_event(model, {}, finish="tool_calls" if calls else "stop"))
    if (asked.get("stream_options") or {}).get("include_usage"):
        found.append(_event(model, None, usage=USAGE))
    return [*found, _piece(b"data: [DONE]\n\n")]


@lru_cache(maxsize=100)
def _said(model: str, word: str) -> bytes:
    return _event(model, {"content": word} if word else {"role": "assistant", "content": ""})


def _event(model: str, delta: dict[str, Any] | None, *, finish: str | None = None, usage: Any = None) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices}
    return _piece(b"data: %b\n\n" % orjson.dumps({**body, "usage": usage} if usage else body))


def _piece(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Counts:
    """What was asked since the last reset."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.calls = self.streamed = self.posts = self.connections = 0
        self._cpu_s = time.process_time()

    def body(self) -> bytes:
        held = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return orjson.dumps({**held, "cpu_s": time.process_time() - self._cpu_s})


class Connection(asyncio.Protocol):
    """One client; its requests are answered in their order."""

    def __init__(self, counts: Counts, drip_s: float) -> None:
        self._counts, self._drip_s = counts, drip_s
        self._held = b""
        self._dripping: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self._counts.connections += 1
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._dripping is not None:
            self._dripping.cancel()

    def data_received(self, data: bytes) -> None:
        self._held += data
        while self._dripping is None:
            end = self._held.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._held[:end]
            length = _length(head)
            if len(self._held) < end + 4 + length:
                return
            body = self._held[end + 4 : end + 4 + length]
            self._held = self._held[end + 4 + length :]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        method, path, _ = head.split(b" ", 2)
        if not path.endswith(b"/chat/completions"):
            self._aside(method, path)
            return
        self._counts.calls += 1
        asked = orjson.loads(body)
        if not asked.get("stream"):
            self._plain(whole(asked))
            return
        self._counts.streamed += 1
        pieces = chunks(asked)
        if asked["model"].startswith("drip"):
            self._transport.write(_STREAM_HEAD)
            self._drip(iter(pieces))
        else:
            self._transport.write(b"".join((_STREAM_HEAD, *pieces, _LAST)))

    def _aside(self, method: bytes, path: bytes) -> None:
        """Whatever is no chat completion."""
        if path == b"/counts":
            if method == b"POST":
                self._counts.reset()
            self._plain(self._counts.body())
        elif method == b"POST":
            self._counts.posts += 1
            self._plain(b"{}")
        else:
            self._plain(b"{}", b"404 Not Found")

    def _plain(self, body: bytes, status: bytes = b"200 OK") -> None:
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % (status, len(body)) + body)

    def _drip(self, pieces: Iterator[bytes]) -> None:
        """Write the next piece, and the one after it a moment later."""
        piece = next(pieces, None)
        self._transport.write(piece or _LAST)
        if piece is not None:
            self._dripping = asyncio.get_running_loop().call_later(self._drip_s, self._drip, pieces)
            return
        self._dripping = None
        self.data_received(b"")


def _length(head: bytes) -> int:
    """Bytes of the body that follows a head."""
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    return 0 if at < 0 else int(lowered[at + 17 :].split(b"\r\n", 1)[0])


async def serve(port: int, drip_s: float) -> None:
    """Listen until the process ends; the port is the first line that is printed."""
    counts = Counts()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(counts, drip_s), "127.0.0.1", port, backlog=2048
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--drip-ms", type=float, default=20.0)
    given = parser.parse_args()
    asyncio.run(serve(given.port, given.drip_ms / 1000))


if __name__ == "__main__":
    main()
