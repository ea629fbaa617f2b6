"""Spans by OpenTelemetry's GenAI names: a redacted span in, its name, kind and attributes out.

The names are those of the semantic conventions `VERSION`; GenAI's are experimental, so the version is pinned and named
in each batch (`schema_url`). What has no name there keeps ours, `segue.…`.
"""

from __future__ import annotations

from typing import Any

import orjson

from segue.tracing.spans import SpanRow
from segue.tracing.tracer import About

VERSION = "1.44.0"
SCHEMA_URL = f"https://opentelemetry.io/schemas/{VERSION}"
_OPERATION = {"run": "invoke_agent", "generation": "chat", "tool": "execute_tool"}
_LONGEST = 200_000
"""Characters of one encoded payload; the rest is cut off and said."""


def span_name(row: SpanRow) -> str:
    """The operation and its object, as the conventions name spans; ours for what they do not know."""
    operation = _OPERATION.get(row.kind)
    if operation is None:
        return row.name
    model = row.attributes.get("gen_ai.response.model") if row.kind == "generation" else None
    return f"{operation} {model or row.name}"


def attributes(row: SpanRow, about: About | None) -> dict[str, Any]:
    """What a span says, without payload: ours, and for agents, generations and tools the conventions' too."""
    out: dict[str, Any] = {**row.attributes, "segue.kind": row.kind, "segue.run_id": row.run_id}
    out["segue.tenant"] = row.tenant
    if row.status != "ok":
        out["segue.status"] = row.status
    if operation := _OPERATION.get(row.kind):
        out["gen_ai.operation.name"] = operation
    if row.kind in ("run", "generation"):
        out["gen_ai.agent.name"] = row.name
    if about is not None:
        out |= {"gen_ai.conversation.id": about.thread_id, "user.id": about.user}
        out.setdefault("gen_ai.agent.name", about.agent)
    if (first := row.attributes.get("segue.first_token_s")) is not None:
        out["gen_ai.response.time_to_first_chunk"] = first
    return out


def content(row: SpanRow) -> dict[str, Any]:
    """The payload by the conventions' names: messages in parts, arguments and results as JSON text."""
    if row.payload is None:
        return {}
    given, came, parameters = row.payload
    out: dict[str, Any] = {}
    if row.kind == "tool":
        out = {"gen_ai.tool.call.arguments": as_json(given), "gen_ai.tool.call.result": as_json(came)}
    elif row.kind == "generation":
        out = {"gen_ai.input.messages": as_json(_parts(given)), "gen_ai.output.messages": as_json(_parts(came))}
        named = {"temperature": "gen_ai.request.temperature", "max_output_tokens": "gen_ai.request.max_tokens"}
        out |= {named[key]: value for key, value in (parameters or {}).items() if key in named and value is not None}
    else:
        out = {"segue.input": as_json(given), "segue.output": as_json(came)}
    return {key: value for key, value in out.items() if value is not None}


def as_json(value: Any) -> str | None:
    """Text as it is, anything else as JSON; cut off where it is very long."""
    if value is None or isinstance(value, str):
        text = value
    else:
        try:
            text = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        except TypeError:
            text = str(value)
    if text is not None and len(text) > _LONGEST:
        return f"{text[:_LONGEST]} [cut here: {len(text) - _LONGEST} more characters]"
    return text


def _parts(messages: Any) -> Any:
    held = messages if isinstance(messages, list) else [messages]
    if not all(isinstance(each, dict) for each in held):
        return messages
    return [{"role": each.get("role"), "parts": list(_each_part(each))} for each in held]


def _each_part(message: dict[str, Any]) -> Any:
    content, role = message.get("content"), message.get("role")
    if role == "tool":
        yield {"type": "tool_call_response", "id": message.get("tool_call_id"), "response": content}
        return
    if isinstance(content, str) and content:
        yield {"type": "text", "content": content}
    elif isinstance(content, list):
        for part in content:
            text = part.get("text") if isinstance(part, dict) else None
            yield {"type": "text", "content": text} if text is not None else {"type": "generic", "content": part}
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        yield {"type": "tool_call", "id": call.get("id"), "name": function.get("name"),
               "arguments": function.get("arguments")}  # fmt: skip
