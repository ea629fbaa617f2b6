"""A scripted server that speaks OpenAI's Responses API, and refuses what the real one refuses.

In: replies, as in `tests.router.wire_server`, given out one by one to `POST /v1/responses`. A request that the API
would not take is answered with its 400 instead. The events are those of
https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from tests.router.wire_server import Scripted, Seen, WireServer, error_reply

_KEYS = {
    "model", "input", "stream", "store", "include", "tools", "tool_choice", "parallel_tool_calls", "temperature",
    "max_output_tokens", "text", "reasoning", "top_p", "metadata", "instructions", "user", "service_tier",
}  # fmt: skip


class ResponsesServer(WireServer):
    """Listens on loopback for as long as its context lasts."""

    @property
    def bodies(self) -> list[Any]:
        """The bodies of the responses that were asked for."""
        return [seen.body for seen in self.requests if seen.path.partition("?")[0].endswith("/responses")]

    async def _answer(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        for complaint in complaints(seen.body):
            return await self._send(reader, writer, error_reply(400, complaint, type="invalid_request_error"))
        return await super()._answer(seen, reader, writer)


def complaints(body: Any) -> Iterator[str]:
    """What the API would say against a request."""
    yield from (f"Unknown parameter: '{key}'." for key in body if key not in _KEYS)
    for tool in body.get("tools", ()):
        if not isinstance(tool.get("name"), str) or "function" in tool or tool["type"] != "function":
            yield "Missing required parameter: 'tools[0].name'."
        if not isinstance(tool.get("strict"), bool) or not isinstance(tool.get("parameters"), dict):
            yield "Missing required parameter: 'tools[0].parameters'."
    form = (body.get("text") or {}).get("format")
    if form is not None and not {"type", "name", "schema"} <= set(form):
        yield "Missing required parameter: 'text.format.name'."
    yield from _complaints_about_input(body["input"])


def _complaints_about_input(items: list[Any]) -> Iterator[str]:
    opened: set[str] = set()
    for place, item in enumerate(items):
        kind = item.get("type", "message")
        if kind == "function_call":
            json.loads(item["arguments"])
            opened.add(item["call_id"])
        elif kind == "function_call_output":
            if item["call_id"] not in opened:
                yield f"No tool call found for function call output with call_id {item['call_id']}."
            opened.discard(item["call_id"])
        elif kind == "reasoning":
            if not {"id", "summary", "encrypted_content"} <= set(item) or {"by", "at"} & set(item):
                yield f"Missing required parameter: 'input[{place}].summary'."
            following = items[place + 1].get("type", "message") if place + 1 < len(items) else ""
            if following not in ("function_call", "message", "reasoning"):
                yield f"Item '{item['id']}' of type 'reasoning' was provided without its required following item."
        elif kind != "message" or set(item) - {"role", "content", "type"}:
            yield f"Invalid value: 'input[{place}]'."
    for call_id in opened:
        yield f"No tool output found for function call {call_id}."


def events(*each: dict[str, Any]) -> bytes:
    """Events as a stream, numbered and named after their types."""
    out = b""
    for number, event in enumerate(each):
        data = json.dumps({"sequence_number": number, **event}, ensure_ascii=False).encode()
        out += b"event: " + event["type"].encode() + b"\ndata: " + data + b"\n\n"
    return out


def response(status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A response object."""
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 64},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 120,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "model": "gpt-scripted-1",
        "status": status,
        "error": None,
        "incomplete_details": None,
        "output": output,
        "usage": usage,
        **more,
    }


def begin() -> list[dict[str, Any]]:
    """The first two events."""
    opened = response("in_progress", [], usage=None)
    return [{"type": "response.created", "response": opened}, {"type": "response.in_progress", "response": opened}]


def text_item(*pieces: str, at: int = 0) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A message in pieces: its events, and the item."""
    part = {"type": "output_text", "text": "".join(pieces), "annotations": []}
    item = {"type": "message", "id": f"msg_{at}", "role": "assistant", "status": "completed", "content": [part]}
    deltas = [
        {
            "type": "response.output_text.delta",
            "output_index": at,
            "content_index": 0,
            "item_id": item["id"],
            "delta": p,
        }
        for p in pieces
    ]
    return _item(at, {**item, "status": "in_progress", "content": []}, deltas, item), item


def call_item(call_id: str, name: str, *pieces: str, at: int = 0) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A tool call in pieces."""
    item = {
        "type": "function_call",
        "id": f"fc_{at}",
        "call_id": call_id,
        "name": name,
        "arguments": "".join(pieces),
        "status": "completed",
    }
    deltas = [
        {"type": "response.function_call_arguments.delta", "output_index": at, "item_id": item["id"], "delta": p}
        for p in pieces
    ]
    return _item(at, {**item, "status": "in_progress", "arguments": ""}, deltas, item), item


def reasoning_item(*pieces: str, at: int = 0) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Reasoning: a summary in pieces, and what is encrypted."""
    summary = [{"type": "summary_text", "text": "".join(pieces)}]
    item = {"type": "reasoning", "id": f"rs_{at}", "summary": summary, "encrypted_content": f"secret {at}"}
    deltas = [
        {"type": "response.reasoning_summary_text.delta", "output_index": at, "summary_index": 0, "delta": p}
        for p in pieces
    ]
    return _item(at, {**item, "summary": []}, deltas, item), item


def _item(at: int, opened: dict[str, Any], deltas: list[dict[str, Any]], item: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "response.output_item.added", "output_index": at, "item": opened},
        *deltas,
        {"type": "response.output_item.done", "output_index": at, "item": item},
    ]


def stream_of(
    *made: tuple[list[dict[str, Any]], dict[str, Any]], status: str = "completed", **more: Any
) -> list[dict[str, Any]]:
    """All events of a response."""
    whole = response(status, [item for _, item in made], **more)
    middle = [event for streamed, _ in made for event in streamed]
    return [*begin(), *middle, {"type": f"response.{status}", "response": whole}]


def says(*pieces: str, **more: Any) -> Scripted:
    """A streamed text as a reply."""
    return Scripted(body=events(*stream_of(text_item(*pieces))), **more)


def two_calls() -> list[dict[str, Any]]:
    """Reasoning, text and two parallel tool calls, with unicode in all."""
    return stream_of(
        reasoning_item("Hmm, ", "früh 🙂", at=0),
        text_item("Zwei Blicke… ", "早 🙂", at=1),
        call_item("call_a", "find_customer", '{"email": "ann', '@müller.example"}', at=2),
        call_item("call_b", "find_order", '{"order_id"', ": 1042}", at=3),
    )
