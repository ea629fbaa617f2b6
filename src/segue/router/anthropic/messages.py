"""A conversation as Anthropic's Messages API takes it: system prompt apart, then turns of content blocks.

In: our messages. Out: the blocks of the system prompt and the turns, with marks where a prefix ends that is worth
caching: the system prompt, and all that the next request will begin with. A note, which is told once, stands after
the mark. See https://platform.claude.com/docs/en/build-with-claude/prompt-caching.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson

from segue.base.messages import Message, ToolCall, text_of
from segue.router.errors import EndpointRefused
from segue.router.reasoning import interleaved, own_parts, turn_start

CACHE = {"type": "ephemeral"}
"""The end of a prefix that is cached for five minutes."""
_NO_TEXT = "(no text)"
_LEFT_OUT = "(what came before is left out)"
_Blocks = list[dict[str, Any]]


def wire_messages(
    messages: Sequence[Message], *, deployment: str, kinds: Sequence[str]
) -> tuple[_Blocks, list[dict[str, Any]]]:
    """The system prompt's blocks, and the turns; `kinds` are those of reasoning that may go back.

    A system message in mid conversation becomes a marked text of the user's turn: the API has no other place for it.
    Neighbours of one role become one turn, tool results first, as the API wants it.

    Raises:
        EndpointRefused: A part of a message is of a kind that the API does not know.
    """
    system: _Blocks = []
    turns: list[dict[str, Any]] = []
    note = text_of(messages[-1]) if messages and messages[-1].get("note") else ""
    kept = messages[:-1] if note else messages
    start = turn_start(kept)
    for at, message in enumerate(kept):
        role, blocks = "user", []
        if message["role"] in ("system", "developer"):
            if not turns:
                system.extend(_text(text_of(message)))
                continue
            blocks = _text(f"<system>\n{text_of(message)}\n</system>")
        elif message["role"] == "assistant":
            role, blocks = "assistant", _assistant(message, deployment, kinds if at >= start else ())
        elif message["role"] == "tool":
            blocks = [_tool_result(message, deployment)]
        else:
            blocks = _content(message, deployment) or _text(_NO_TEXT)
        _append(turns, role, blocks)
    if not turns:  # instructions alone: somebody must have spoken
        turns, system = [{"role": "user", "content": system or _text(_NO_TEXT)}], []
    elif turns[0]["role"] == "assistant":
        turns.insert(0, {"role": "user", "content": _text(_LEFT_OUT)})
    for turn in turns:
        turn["content"].sort(key=lambda block: block["type"] != "tool_result" and turn["role"] == "user")
    _mark(system)
    _mark(turns[-1]["content"])
    if note:
        _append(turns, "user", _text(note))
    return system, turns


def _append(turns: list[dict[str, Any]], role: str, blocks: _Blocks) -> None:
    if not blocks:
        return
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"].extend(blocks)
    else:
        turns.append({"role": role, "content": blocks})


def _mark(blocks: _Blocks) -> None:
    """Put the mark on the last block that can carry it."""
    for at in range(len(blocks) - 1, -1, -1):
        if blocks[at]["type"] not in ("thinking", "redacted_thinking"):
            blocks[at] = {**blocks[at], "cache_control": CACHE}
            return


def _text(text: str) -> _Blocks:
    """One block; none for a text without letters, which the API refuses."""
    return [{"type": "text", "text": text}] if text.strip() else []


def _assistant(message: Message, deployment: str, kinds: Sequence[str]) -> _Blocks:
    blocks = _content(message, deployment)
    blocks.extend(_tool_use(call) for call in message.get("tool_calls") or ())
    parts = own_parts(message, deployment, kinds) if kinds else []
    return interleaved(parts, blocks) if parts and blocks else blocks


def _tool_use(call: ToolCall) -> dict[str, Any]:
    text = call["function"]["arguments"]
    try:
        given = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        given = {"not_json": text}
    if not isinstance(given, dict):
        given = {"no_object": given}
    return {"type": "tool_use", "id": _wire_id(call["id"]), "name": call["function"]["name"], "input": given}


def _tool_result(message: Message, deployment: str) -> dict[str, Any]:
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": _wire_id(message.get("tool_call_id", ""))}
    content = message.get("content")
    if isinstance(content, str) and content:
        result["content"] = content
    elif isinstance(content, list) and (blocks := _content(message, deployment)):
        result["content"] = blocks
    if message.get("failed"):
        result["is_error"] = True
    return result


def _wire_id(call_id: str) -> str:
    """Ids of other servers may hold what Anthropic refuses."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", call_id) or "_"


def _content(message: Message, deployment: str) -> _Blocks:
    content = message.get("content")
    if not isinstance(content, list):
        return _text(content or "")
    return [block for part in content for block in _part(part, deployment)]


def _part(part: dict[str, Any], deployment: str) -> _Blocks:
    kind = part.get("type")
    if kind == "text":
        return _text(part.get("text") or "")
    if kind == "image_url":
        image = part.get("image_url")
        return [{"type": "image", "source": _source(image if isinstance(image, str) else (image or {}).get("url", ""))}]
    if kind == "file" and (data := (part.get("file") or {}).get("file_data")):
        return [{"type": "document", "source": _source(data)}]
    if kind in ("image", "document", "search_result"):
        return [{key: value for key, value in part.items() if key != "labels"}]
    raise EndpointRefused(
        deployment,
        f"cannot take a part of type {kind!r}: Anthropic's API knows text, images and documents",
        way_out="Route such conversations to a model that takes it.",
    )


def _source(url: str) -> dict[str, Any]:
    """Where an image or a document is; a data URL is taken apart."""
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    head, _, data = url.removeprefix("data:").partition(",")
    media_type, *options = head.split(";")
    if "base64" not in options:
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return {"type": "base64", "media_type": media_type or "text/plain", "data": data}
