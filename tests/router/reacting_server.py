"""A model server that reacts to what it is asked, as strictly as OpenAI's service reads a request.

In: chat completions over HTTP, on a thread of its own, so that callers with and without an event loop reach it. Out: a
fitting tool call where tools are given, an answer where their results are, JSON that fits a schema, text that ends at
a stop sequence or a token limit; streamed or whole, with usage. A request that OpenAI's service would refuse is
refused with a 400. See https://platform.openai.com/docs/api-reference/chat/create.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

_PARTS: dict[str, tuple[str, ...]] = {
    "system": ("text",),
    "developer": ("text",),
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
    "tool": ("text",),
}
_SAID = "Hello to you, and a good day. This is what I have to say."


class Refused(Exception):
    """The request is not one that the service takes."""


@dataclass
class Reacting:
    """The server, and what it was asked."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    """Beginnings of conversations that it holds."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        try:
            check(body)
            choice = react(body)
        except Refused as error:
            told = {"message": str(error), "type": "invalid_request_error", "param": None, "code": None}
            return web.json_response({"error": told}, status=400)
        usage = self._usage(body, choice)
        head = {"id": "chatcmpl-1", "created": 1, "model": body["model"]}
        if not body.get("stream"):
            whole = {"index": 0, "message": choice["message"], "finish_reason": choice["finish_reason"]}
            return web.json_response({**head, "object": "chat.completion", "choices": [whole], "usage": usage})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for delta, finish in pieces(choice):
            each = {"index": 0, "delta": delta, "finish_reason": finish}
            chunk = {**head, "object": "chat.completion.chunk", "choices": [each]}
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        if (body.get("stream_options") or {}).get("include_usage"):
            last = {**head, "object": "chat.completion.chunk", "choices": [], "usage": usage}
            await response.write(b"data: " + json.dumps(last).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    def _usage(self, body: Mapping[str, Any], choice: Mapping[str, Any]) -> dict[str, Any]:
        told = [json.dumps(message, sort_keys=True) for message in body["messages"]]
        sizes = [len(text) // 4 + 1 for text in told]
        held = 0
        while held < len(told) and "".join(told[: held + 1]) in self.seen:
            held += 1
        self.seen.update("".join(told[: end + 1]) for end in range(len(told)))
        thought = len((choice["message"].get("reasoning_content") or "").split())
        said = len((choice["message"].get("content") or "").split())
        said += sum(len(call["function"]["arguments"]) // 4 + 1 for call in choice["message"].get("tool_calls") or ())
        return {
            "prompt_tokens": sum(sizes),
            "completion_tokens": said + thought,
            "total_tokens": sum(sizes) + said + thought,
            "prompt_tokens_details": {"cached_tokens": sum(sizes[:held])},
            "completion_tokens_details": {"reasoning_tokens": thought},
        }


@contextmanager
def reacting() -> Iterator[Reacting]:
    """The server, for as long as the context lasts."""
    server, loop, ready = Reacting(), asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", server.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        ready.set()
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    task = loop.create_task(serve())
    thread = threading.Thread(target=_until_cancelled, args=(loop, task), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)


def _until_cancelled(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    try:
        loop.run_until_complete(asyncio.wait([task]))
    finally:
        loop.close()


def check(body: Mapping[str, Any]) -> None:
    """Raise `Refused` for what the service does not take."""
    messages = body.get("messages")
    _want(isinstance(body.get("model"), str) and bool(body["model"]), "you must provide a model parameter")
    _want(isinstance(messages, list) and bool(messages), "'messages' must not be empty")
    open_ids: list[str] = []
    for at, message in enumerate(messages or ()):
        where, role = f"messages[{at}]", message.get("role")
        _want(role in _PARTS, f"{where}.role: unknown role {role!r}")
        _want(set(message) <= {"role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content"}, where)
        _check_content(where, role, message)
        if role == "tool":
            _want(message.get("tool_call_id") in open_ids, f"{where}: no tool call before it has its id")
            open_ids.remove(message["tool_call_id"])
            continue
        _want(not open_ids, f"{where}: these tool calls have no answer: {open_ids}")
        open_ids = [_checked_call(where, call) for call in message.get("tool_calls") or ()]
    _want(not open_ids, f"these tool calls have no answer: {open_ids}")
    known = [_checked_tool(tool) for tool in body.get("tools") or ()]
    _check_choice(body.get("tool_choice"), known)
    stop = body.get("stop")
    _want(stop is None or isinstance(stop, str) or 1 <= len(stop) <= 4, "stop: at most 4 sequences")
    kind = (body.get("response_format") or {"type": "text"})["type"]
    _want(kind in ("text", "json_object", "json_schema"), f"response_format: unknown type {kind!r}")
    if kind == "json_object":
        _want("json" in json.dumps(messages).lower(), "'messages' must contain the word 'json' to use json_object")
    if kind == "json_schema":
        wanted = body["response_format"]["json_schema"]
        _want(bool(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", wanted.get("name", ""))), "json_schema.name is wrong")
        _want(isinstance(wanted.get("schema"), dict), "json_schema.schema is missing")


def _check_content(where: str, role: str, message: Mapping[str, Any]) -> None:
    content = message.get("content")
    if content is None:
        _want(role == "assistant" and bool(message.get("tool_calls")), f"{where}.content must not be null")
    if not isinstance(content, list):
        _want(content is None or isinstance(content, str), f"{where}.content is no text")
        return
    _want(bool(content), f"{where}.content is an empty array")
    for part in content:
        kind = part.get("type")
        _want(kind in _PARTS[role], f"{where}.content: type {kind!r} is not one of {_PARTS[role]}")
        _want(set(part) == {"type", kind}, f"{where}.content: unknown keys in {sorted(part)}")
        held = part[kind]
        if kind == "text":
            _want(isinstance(held, str), f"{where}: text is no text")
        elif kind == "image_url":
            _want(str(held.get("url")).startswith(("data:image/", "http")), f"{where}: no image URL")
        elif kind == "input_audio":
            _want(held.get("format") in ("wav", "mp3") and bool(held.get("data")), f"{where}: no audio")
        else:
            _want(bool(held.get("file_id")) or str(held.get("file_data")).startswith("data:"), f"{where}: no file")


def _checked_call(where: str, call: Mapping[str, Any]) -> str:
    _want(call.get("type") == "function" and bool(call.get("id")), f"{where}.tool_calls: no function call")
    _want(isinstance(json.loads(call["function"]["arguments"]), dict), f"{where}.tool_calls: arguments are no object")
    return str(call["id"])


def _checked_tool(tool: Mapping[str, Any]) -> str:
    _want(tool.get("type") == "function", "tools: unknown type")
    function = tool["function"]
    _want(set(function) <= {"name", "description", "parameters", "strict"}, f"tools: unknown keys in {set(function)}")
    _want(bool(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", function["name"])), "tools: a name does not fit")
    return str(function["name"])


def _check_choice(choice: Any, known: Sequence[str]) -> None:
    if choice is None:
        return
    _want(bool(known), "tool_choice is only allowed when tools are specified")
    if isinstance(choice, str):
        _want(choice in ("auto", "none", "required"), f"tool_choice: unknown value {choice!r}")
    else:
        _want(choice["function"]["name"] in known, "tool_choice names no tool")


def _want(holds: bool, said: str) -> None:
    if not holds:
        raise Refused(said)


def react(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the model says to a request."""
    last = body["messages"][-1]
    asked = _text(last)
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if body.get("reasoning_effort"):
        message["reasoning_content"] = "They greet me. I shall greet them."
    tool = _chosen(body, last["role"], asked)
    if tool is not None:
        arguments = json.dumps(fitting(tool.get("parameters") or {}, asked), ensure_ascii=False)
        call = {"id": "call_1", "type": "function", "function": {"name": tool["name"], "arguments": arguments}}
        return {"message": {**message, "tool_calls": [call]}, "finish_reason": "tool_calls"}
    wanted = body.get("response_format") or {"type": "text"}
    if wanted["type"] == "json_schema":
        said = json.dumps(fitting(wanted["json_schema"]["schema"], asked), ensure_ascii=False)
    elif wanted["type"] == "json_object":
        keys = re.findall(r"'(\w+)'", asked)
        said = json.dumps(dict.fromkeys(keys, "something"))
    elif last["role"] == "tool":
        said = f"The tool says: {asked}"
    else:
        said = _SAID
    stop = body.get("stop") or ()
    for each in [stop] if isinstance(stop, str) else stop:
        said = said.partition(each)[0]
    most = body.get("max_tokens") or body.get("max_completion_tokens") or 10_000
    words = re.findall(r"\s*\S+", said)
    cut = len(words) > most
    message["content"] = "".join(words[:most])
    return {"message": message, "finish_reason": "length" if cut else "stop"}


def _chosen(body: Mapping[str, Any], last_role: str, asked: str) -> Mapping[str, Any] | None:
    tools: list[Mapping[str, Any]] = [tool["function"] for tool in body.get("tools") or ()]
    choice = body.get("tool_choice") or "auto"
    if isinstance(choice, dict):
        return next(tool for tool in tools if tool["name"] == choice["function"]["name"])
    if not tools or choice == "none" or (choice == "auto" and last_role != "user"):
        return None
    return next((tool for tool in tools if tool["name"] in asked), tools[0])


def fitting(schema: Mapping[str, Any], asked: str) -> Any:
    """A value that fits a JSON schema, out of what was asked where that holds something fitting."""
    for way in ("anyOf", "oneOf", "allOf"):
        if way in schema:
            return fitting(schema[way][0], asked)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        numbers = iter(re.findall(r"-?\d+", asked))
        properties: Mapping[str, Any] = schema.get("properties") or {}
        return {
            name: int(next(numbers, 1)) if each.get("type") == "integer" else fitting(each, asked)
            for name, each in properties.items()
        }
    if kind == "array":
        return [fitting(schema.get("items") or {"type": "string"}, asked)]
    if kind in ("integer", "number"):
        return 1
    if kind == "boolean":
        return True
    return next(iter(re.findall(r"'([^']+)'", asked)), "something")


def pieces(choice: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str | None]]:
    """The deltas of an answer, each with the reason to end."""
    message = choice["message"]
    yield {"role": "assistant", "content": ""}, None
    for word in re.findall(r"\s*\S+", message.get("reasoning_content") or ""):
        yield {"reasoning_content": word}, None
    for word in re.findall(r"\s*\S+", message.get("content") or ""):
        yield {"content": word}, None
    for index, call in enumerate(message.get("tool_calls") or ()):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        head = {"index": index, "id": call["id"], "type": "function", "function": {"name": name, "arguments": ""}}
        yield {"tool_calls": [head]}, None
        for at in range(0, len(arguments), 3):
            yield {"tool_calls": [{"index": index, "function": {"arguments": arguments[at : at + 3]}}]}, None
    yield {}, choice["finish_reason"]


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text") or "" for part in content)
