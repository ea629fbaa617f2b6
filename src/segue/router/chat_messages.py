"""Between LangChain's messages and the router's: requests in one direction, generations in the other.

In: LangChain's messages with the options of a call, or a `Generation`. Out: a `GenerationRequest`, or LangChain's
message with usage and the story of the generation in its metadata. Who is asked is decided elsewhere.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping, Sequence
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCallChunk
from langchain_core.messages.ai import UsageMetadata

from segue.base.messages import Message, from_langchain, text_of
from segue.router.types import Generation, GenerationRequest

_NOT_SENT = ("ls_structured_output_format", "run_manager", "stream")
_SAID = ("text", "refusal")
"""Parts of an answer that go back to a model; its calls and its reasoning stand beside the content."""


def to_request(
    messages: Sequence[BaseMessage], stop: Sequence[str] | None, options: Mapping[str, Any]
) -> GenerationRequest:
    """What LangChain hands over, as a request; options that the router does not know go into the body."""
    known = {key: value for key, value in options.items() if key not in _NOT_SENT}
    schema, name = known.pop("output_schema", None), "answer"
    response_format = known.get("response_format")
    if schema is None and isinstance(response_format, Mapping) and response_format.get("type") == "json_schema":
        known.pop("response_format")
        schema = response_format["json_schema"]["schema"]
        name = response_format["json_schema"].get("name", name)
    max_tokens, max_completion_tokens = known.pop("max_tokens", None), known.pop("max_completion_tokens", None)
    return GenerationRequest(
        messages=[_ours(message) for message in messages],
        tools=known.pop("tools", None) or (),
        tool_choice=known.pop("tool_choice", None),
        output_schema=schema,
        output_name=name,
        max_output_tokens=max_completion_tokens or max_tokens,
        temperature=known.pop("temperature", None),
        stop=tuple(stop or ()),
        parallel_tool_calls=known.pop("parallel_tool_calls", None),
        extra=known,
    )


def to_ai_message(found: Generation) -> AIMessage:
    """A generation as LangChain's message."""
    message = found.message
    calls, broken = [], []
    for call in message.get("tool_calls", ()):
        name, text = call["function"]["name"], call["function"]["arguments"]
        arguments = _as_object(text)
        if arguments is None:
            why = "the arguments are no JSON object"
            broken.append({"name": name, "args": text, "id": call["id"], "error": why, "type": "invalid_tool_call"})
        else:
            calls.append({"name": name, "args": arguments, "id": call["id"], "type": "tool_call"})
    return AIMessage(
        content=text_of(message),
        id=message["id"],
        tool_calls=cast(Any, calls),
        invalid_tool_calls=cast(Any, broken),
        usage_metadata=_usage_metadata(found),
        additional_kwargs=_additional(message),
        response_metadata=_metadata(found),
    )


def to_last_chunk(found: Generation, shown: int) -> AIMessageChunk:
    """What a stream ends with: text beyond what was `shown`, tool calls, usage, and the story."""
    calls = [
        ToolCallChunk(
            name=call["function"]["name"],
            args=call["function"]["arguments"],
            id=call["id"],
            index=index,
            type="tool_call_chunk",
        )
        for index, call in enumerate(found.message.get("tool_calls", ()))
    ]
    return AIMessageChunk(
        content=text_of(found.message)[shown:],
        tool_call_chunks=calls,
        usage_metadata=_usage_metadata(found),
        additional_kwargs=_additional(found.message),
        response_metadata=_metadata(found),
        chunk_position="last",
    )


def _ours(message: BaseMessage) -> Message:
    if isinstance(message.content, list):
        message = message.model_copy(update={"content": _parts(message.content, said=message.type == "ai")})
    ours = from_langchain(message)
    if reasoning := message.additional_kwargs.get("reasoning"):
        ours["reasoning"] = reasoning
    return ours


def _parts(parts: Sequence[Any], *, said: bool) -> list[Any]:
    """The parts that a model takes: of an answer what it said, and files with a name, which OpenAI's service wants."""
    if said:
        return [part for part in parts if isinstance(part, str) or part.get("type") in _SAID]
    return [_with_name(part) if isinstance(part, dict) and part.get("type") == "file" else part for part in parts]


def _with_name(part: dict[str, Any]) -> dict[str, Any]:
    kind = part.get("mime_type")
    if not kind or part.get("filename") or (part.get("extras") or {}).get("filename"):
        return part
    return {**part, "filename": f"file{mimetypes.guess_extension(kind) or ''}"}


def _additional(message: Message) -> dict[str, Any]:
    return {"reasoning": message["reasoning"]} if message.get("reasoning") else {}


def _usage_metadata(found: Generation) -> UsageMetadata:
    usage = found.usage
    return UsageMetadata(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        input_token_details={"cache_read": usage.cached_tokens},
        output_token_details={"reasoning": usage.reasoning_tokens},
    )


def _metadata(found: Generation) -> dict[str, Any]:
    return {
        "model_name": found.model,
        "finish_reason": found.finish_reason,
        "deployment": found.deployment,
        "route": found.route,
        "cost_usd": found.usage.cost_usd,
        "why": found.why,
    }


def _as_object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
