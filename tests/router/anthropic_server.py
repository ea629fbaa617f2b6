"""A scripted server that speaks Anthropic's Messages API, and refuses what the real one refuses.

In: replies, as in `tests.router.wire_server`, given out one by one to `POST /v1/messages`. A request that the API would
not take is answered with its 400 instead, so that a test of the client cannot pass with it. The events are those of
https://platform.claude.com/docs/en/build-with-claude/streaming, the rules those of the API's reference.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

from tests.router.wire_server import Scripted, Seen, WireServer, json_reply

_KEYS = {
    "model", "messages", "max_tokens", "stream", "system", "tools", "tool_choice", "stop_sequences", "temperature",
    "top_p", "top_k", "thinking", "output_config", "metadata", "service_tier", "cache_control",
}  # fmt: skip
_USER_BLOCKS = {"text", "image", "document", "tool_result"}
_ASSISTANT_BLOCKS = {"text", "tool_use", "thinking", "redacted_thinking"}


class AnthropicServer(WireServer):
    """Listens on loopback for as long as its context lasts."""

    @property
    def bodies(self) -> list[Any]:
        """The bodies of the messages that were asked for."""
        return [seen.body for seen in self.requests if seen.path == "/v1/messages"]

    async def _answer(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if seen.headers.get("anthropic-version") != "2023-06-01":
            return await self._send(reader, writer, refusal(400, "anthropic-version: header is required"))
        if seen.method == "GET":
            entries = [{"type": "model", "id": each["id"], "display_name": each["id"]} for each in self.models]
            return await self._send(reader, writer, json_reply({"data": entries, "has_more": False}))
        for complaint in complaints(seen.body):
            return await self._send(reader, writer, refusal(400, complaint))
        return await super()._answer(seen, reader, writer)


def refusal(status: int, message: str, kind: str = "invalid_request_error", **headers: str) -> Scripted:
    """An error as Anthropic shapes it."""
    error = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return json_reply(error, status=status, headers=tuple((k.replace("_", "-"), v) for k, v in headers.items()))


def complaints(body: Any) -> Iterator[str]:
    """What the API would say against a request."""
    yield from (f"{key}: Extra inputs are not permitted" for key in body if key not in _KEYS)
    if not isinstance(body.get("max_tokens"), int):
        yield "max_tokens: Field required"
    if json.dumps(body).count('"cache_control"') > 4:
        yield "A maximum of 4 blocks with cache_control may be provided."
    yield from _complaints_about_tools(body)
    yield from _complaints_about_thinking(body)
    yield from _complaints_about_messages(body)
    schema = (body.get("output_config") or {}).get("format", {}).get("schema")
    if schema is not None:
        yield from _complaints_about_schema(schema)


def _complaints_about_tools(body: Any) -> Iterator[str]:
    tools = body.get("tools", [])
    for tool in tools:
        if tool["input_schema"].get("type") != "object" or not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", tool["name"]):
            yield "tools.0.input_schema.type: Field required"
    if len({tool["name"] for tool in tools}) < len(tools):
        yield "tools: Tool names must be unique."
    if "tool_choice" in body and not tools:
        yield "tool_choice: tool_choice may only be specified while providing tools"
    if not tools and any(block["type"] in ("tool_use", "tool_result") for _, block in _blocks(body)):
        yield "Requests which include `tool_use` or `tool_result` blocks must define tools"
    if (body.get("tool_choice") or {"type": "auto"})["type"] not in ("auto", "any", "tool", "none"):
        yield "tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'"


def _complaints_about_thinking(body: Any) -> Iterator[str]:
    thinking = body.get("thinking")
    if not thinking or thinking["type"] == "disabled":
        return
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        yield "Thinking may not be enabled when tool_choice forces tool use."
    if body.get("temperature", 1) != 1:
        yield "`temperature` may only be set to 1 when thinking is enabled."
    answers = [message for message in body["messages"] if message["role"] == "assistant"]
    followed = body["messages"][-1]["content"][0]["type"] == "tool_result"
    if thinking["type"] == "enabled" and followed and not answers[-1]["content"][0]["type"].endswith("thinking"):
        yield "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`."


def _complaints_about_messages(body: Any) -> Iterator[str]:
    messages = body.get("messages") or []
    if not messages:
        yield "messages: at least one message is required"
    elif messages[0]["role"] != "user":
        yield 'messages: first message must use the "user" role'
    open_ids: list[str] = []
    for message in messages:
        blocks = message["content"]
        allowed = _USER_BLOCKS if message["role"] == "user" else _ASSISTANT_BLOCKS
        if not blocks or message["role"] not in ("user", "assistant"):
            yield "messages: all messages must have non-empty content"
        if wrong := [block["type"] for block in blocks if block["type"] not in allowed]:
            yield f"messages.0.content.0: Input tag {wrong[0]!r} does not match any of the expected tags"
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if sorted(results) != sorted(open_ids) or "tool_result" in [b["type"] for b in blocks[len(results) :]]:
            yield "`tool_use` ids were found without `tool_result` blocks immediately after"
        open_ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
    for _, block in _blocks(body):
        if block["type"] == "text" and not block["text"].strip():
            yield "messages: text content blocks must contain non-whitespace text"
        if block["type"] == "tool_use" and not (
            isinstance(block["input"], dict) and re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"])
        ):
            yield "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
        if block["type"] == "thinking" and set(block) != {"type", "thinking", "signature"}:
            yield "messages.1.content.0.thinking.signature: Field required"


def _complaints_about_schema(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for each in schema:
            yield from _complaints_about_schema(each)
    elif isinstance(schema, dict):
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
            yield "output_config.format.schema: For 'object' type, 'additionalProperties' must be set to false"
        for key in ("minimum", "maximum", "minLength", "maxLength", "maxItems", "pattern", "oneOf"):
            if key in schema and not isinstance(schema[key], dict):
                yield f"output_config.format.schema: property {key!r} is not supported"
        for value in schema.values():
            yield from _complaints_about_schema(value)


def _blocks(body: Any) -> Iterator[tuple[str, Any]]:
    for message in body.get("messages") or ():
        for block in message["content"]:
            yield message["role"], block


def events(*each: dict[str, Any]) -> bytes:
    """Events as a stream; every one is named after its type."""
    out = b""
    for event in each:
        data = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        out += b"event: " + event["type"].encode() + b"\ndata: " + data + b"\n\n"
    return out


def start(**usage: Any) -> dict[str, Any]:
    """The first event."""
    counted = {
        "input_tokens": 20,
        "cache_creation_input_tokens": 16,
        "cache_read_input_tokens": 64,
        "output_tokens": 1,
        **usage,
    }
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "claude-scripted-1"}
    return {"type": "message_start", "message": {**message, "stop_reason": None, "usage": counted}}


def block(index: int, opened: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """One content block: its start, its deltas, its end."""
    pieces = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    begin = {"type": "content_block_start", "index": index, "content_block": opened}
    return [begin, *pieces, {"type": "content_block_stop", "index": index}]


def text_block(index: int, *pieces: str) -> list[dict[str, Any]]:
    """Text in pieces."""
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces))


def tool_block(index: int, call_id: str, name: str, *pieces: str) -> list[dict[str, Any]]:
    """A tool call, its input in pieces of JSON."""
    opened = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
    return block(index, opened, *({"type": "input_json_delta", "partial_json": piece} for piece in pieces))


def thinking_block(index: int, *pieces: str, signature: str = "sig==") -> list[dict[str, Any]]:
    """Thinking in pieces, then its signature."""
    deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
    opened = {"type": "thinking", "thinking": "", "signature": ""}
    return block(index, opened, *deltas, {"type": "signature_delta", "signature": signature})


def end(reason: str = "end_turn", output_tokens: int = 20, **usage: Any) -> list[dict[str, Any]]:
    """The last two events."""
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": output_tokens, **usage}},
        {"type": "message_stop"},
    ]


def says(*pieces: str, reason: str = "end_turn", **more: Any) -> Scripted:
    """A streamed text as a reply."""
    ping = {"type": "ping"}
    return Scripted(body=events(start(), ping, *text_block(0, *pieces), *end(reason)), **more)


def two_calls() -> list[dict[str, Any]]:
    """Thinking, text and two parallel tool calls, with unicode in all."""
    return [
        start(),
        *thinking_block(0, "Hmm, ", "früh 🙂"),
        *text_block(1, "Zwei Blicke… ", "早 🙂"),
        {"type": "ping"},
        *tool_block(2, "toolu_a", "find_customer", "", '{"email": "ann', '@müller.example"}'),
        *tool_block(3, "toolu_b", "find_order", '{"order_id"', ": 1042}"),
        *end("tool_use", output_tokens_details={"thinking_tokens": 3}),
    ]
