"""From a request to the body that an OpenAI-compatible server takes.

In: a `GenerationRequest` and the settings of the deployment that will answer it. Out: plain data for
`POST /chat/completions`. Keys of ours stay behind; tools stand in the order of their names, so that a prompt prefix
stays the same from turn to turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from segue.base.messages import OWN_KEYS, Message, ToolCall, wire_content, with_note_inside
from segue.router.assemble import is_json
from segue.router.settings import DeploymentSettings
from segue.router.types import GenerationRequest

_LEFT_BEHIND = OWN_KEYS | {"reasoning"}
_PLAIN = OWN_KEYS | {"role", "content"}
_CALLING = _PLAIN | {"tool_calls"}
_TOOLSETS = 64
_WIRED: dict[tuple[int, bool], tuple[Any, list[dict[str, Any]]]] = {}
"""Tools as they go on the wire, by the identity of what they were made of."""


def build_body(request: GenerationRequest, settings: DeploymentSettings, *, deployment: str) -> dict[str, Any]:
    """The body of a streamed chat completion; `request.extra` overrides what stands here."""
    body: dict[str, Any] = {
        "model": settings.model,
        "messages": wire_messages(request.messages, deployment=deployment, engine=settings.engine),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.tools:
        body["tools"] = _wired(request.tools, settings.engine == "vllm")
        if request.tool_choice is not None:
            body["tool_choice"] = wire_tool_choice(request.tool_choice)
        if request.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = request.parallel_tool_calls
    if request.output_schema is not None:
        body["response_format"] = response_format(request.output_schema, request.output_name)
    limits = [limit for limit in (request.max_output_tokens, settings.max_output_tokens) if limit is not None]
    if limits:
        body[_limit_key(settings)] = min(limits)
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.stop:
        body["stop"] = list(request.stop)
    body.update(request.extra)
    return body


def wire_messages(messages: Sequence[Message], *, deployment: str, engine: str) -> list[dict[str, Any]]:
    """The messages without keys of ours, in a shape that no server chokes on.

    Reasoning goes back only within the turn that it belongs to, to the deployment that wrote it (or to a vLLM), under
    the name that it came by: thinking models want it between their tool calls, other servers refuse the key.
    Arguments that are no JSON are wrapped, since chat templates parse them.
    """
    messages = with_note_inside(messages)
    out: list[dict[str, Any]] = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, str) and message["role"] != "assistant" and message.keys() <= _PLAIN:
            out.append({"role": message["role"], "content": content})  # nearly all that are not the model's own
        else:
            out.append(_wire_message(message))
    for at in range(len(messages) - 1, -1, -1):
        if messages[at]["role"] == "user":
            break
        if parts := messages[at].get("reasoning"):
            out[at].update(_wire_reasoning(parts, deployment, engine))
    return out


def wire_tools(tools: Sequence[Mapping[str, Any]], *, strict: bool = False) -> list[dict[str, Any]]:
    """The tools by name. vLLM constrains arguments to their schema only where a function says `strict`."""
    functions = sorted((tool.get("function", tool) for tool in tools), key=lambda function: function["name"])
    if strict:
        functions = [{**function, "strict": True} for function in functions]
    return [{"type": "function", "function": function} for function in functions]


def _wired(tools: Sequence[Mapping[str, Any]], strict: bool) -> list[dict[str, Any]]:
    """The same, remembered for as long as an agent hands over the very same tuple, which nobody can change."""
    if not isinstance(tools, tuple):
        return wire_tools(tools, strict=strict)
    key = (id(tools), strict)
    known = _WIRED.get(key)
    if known is None or known[0] is not tools:
        while len(_WIRED) >= _TOOLSETS:
            _WIRED.pop(next(iter(_WIRED)), None)
        known = _WIRED[key] = (tools, wire_tools(tools, strict=strict))
    return known[1]


def wire_tool_choice(choice: str | Mapping[str, Any]) -> Any:
    """OpenAI's spelling of a choice: `any` is `required`, any other word is a tool's name."""
    if not isinstance(choice, str):
        return choice
    if choice in ("auto", "none", "required"):
        return choice
    return "required" if choice == "any" else {"type": "function", "function": {"name": choice}}


def response_format(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The request for JSON that fits a schema."""
    wanted = {"name": name, "schema": schema, "strict": is_strict(schema)}
    return {"type": "json_schema", "json_schema": wanted}


def with_json_arguments(calls: Sequence[ToolCall]) -> Sequence[ToolCall]:
    """The same calls; arguments that are no JSON are wrapped in an object, so that whoever parses them can."""
    for call in calls:
        if not is_json(call["function"]["arguments"]):
            break
    else:
        return calls
    out: list[ToolCall] = []
    for call in calls:
        text = call["function"]["arguments"]
        if not is_json(text):
            text = orjson.dumps({"not_json": text}).decode()
        out.append({**call, "function": {"name": call["function"]["name"], "arguments": text}})
    return out


def is_strict(schema: Any) -> bool:
    """Whether OpenAI takes the schema as strict: every object closed, every property required.

    See https://platform.openai.com/docs/guides/structured-outputs#supported-schemas.
    """
    if isinstance(schema, list):
        return all(is_strict(item) for item in schema)
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties):
            return False
    return all(is_strict(value) for value in schema.values())


def _wire_message(message: Message) -> dict[str, Any]:
    if message["role"] == "assistant" and message.keys() <= _CALLING and "content" in message:
        out: dict[str, Any] = {"role": message["role"], "content": message["content"]}
    else:
        out = {key: value for key, value in message.items() if key not in _LEFT_BEHIND}
    if isinstance(out.get("content"), list):
        out["content"] = wire_content(out["content"])
    if message["role"] != "assistant":
        return out
    if calls := message.get("tool_calls"):
        out["tool_calls"] = with_json_arguments(calls)
    elif out.get("content") is None:
        out["content"] = ""
    return out


def _wire_reasoning(parts: Sequence[Mapping[str, Any]], deployment: str, engine: str) -> dict[str, Any]:
    texts = [part for part in parts if part.get("field") and (engine == "vllm" or part.get("by") == deployment)]
    if texts:
        return {texts[0]["field"]: "".join(part.get("text") or "" for part in texts)}
    own = [part for part in parts if part.get("by") == deployment]
    details = [{key: value for key, value in part.items() if key != "by"} for part in own]
    return {"reasoning_details": details} if details else {}


def _limit_key(settings: DeploymentSettings) -> str:
    """OpenAI's own service wants `max_completion_tokens`, which others do not all know."""
    host = urlsplit(settings.url).hostname or ""
    hosted = host == "api.openai.com" or host.endswith(".openai.azure.com")
    return "max_completion_tokens" if hosted else "max_tokens"
