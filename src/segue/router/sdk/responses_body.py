"""From a request to the body that OpenAI's Responses API takes.

In: a `GenerationRequest` and the settings of the deployment. Out: plain data for `POST /responses`. Nothing is stored
there: each request holds the whole conversation, and reasoning comes and goes encrypted.
See https://platform.openai.com/docs/api-reference/responses/create.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from segue.base.messages import Message, text_of, with_note_inside
from segue.router.body import is_strict, wire_tool_choice, wire_tools, with_json_arguments
from segue.router.errors import EndpointRefused
from segue.router.reasoning import interleaved, own_parts, turn_start
from segue.router.settings import DeploymentSettings
from segue.router.types import GenerationRequest

_CHAT_ONLY = frozenset(
    {
        "frequency_penalty", "logit_bias", "logprobs", "n", "presence_penalty", "reasoning_effort", "response_format",
        "seed", "stream_options", "verbosity",
    }
)  # fmt: skip
_WITHOUT_REASONING = re.compile(r"^(gpt-3|gpt-4|chatgpt)")
"""Models that refuse to be asked for reasoning."""
_Items = list[dict[str, Any]]


def build_response_body(request: GenerationRequest, settings: DeploymentSettings, *, deployment: str) -> dict[str, Any]:
    """The body of a streamed response; `request.extra` overrides what stands here.

    Of `extra`, what only chat completions have is left out; `reasoning_effort` and `verbosity` go where they belong.

    Raises:
        EndpointRefused: The request wants what the API does not have.
    """
    if request.stop:
        raise EndpointRefused(
            deployment,
            "cannot stop at given texts: the Responses API has no `stop`",
            way_out='Leave `stop` out, or set api = "chat".',
        )
    body: dict[str, Any] = {
        "model": settings.model,
        "input": wire_input(request.messages, deployment=deployment),
        "stream": True,
        "store": False,
    }
    if not _WITHOUT_REASONING.search(settings.model):
        body["include"] = ["reasoning.encrypted_content"]
    if request.tools:
        body["tools"] = [_tool(tool["function"]) for tool in wire_tools(request.tools)]
        if request.tool_choice is not None:
            body["tool_choice"] = _tool_choice(request.tool_choice)
        if request.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = request.parallel_tool_calls
    limits = [limit for limit in (request.max_output_tokens, settings.max_output_tokens) if limit is not None]
    if limits:
        body["max_output_tokens"] = min(limits)
    if request.temperature is not None:
        body["temperature"] = request.temperature
    body.update({key: value for key, value in request.extra.items() if key not in _CHAT_ONLY})
    if (effort := request.extra.get("reasoning_effort")) is not None:
        body["reasoning"] = {"effort": effort, **(body.get("reasoning") or {})}
    if text := _text(request):
        body["text"] = {**text, **(body.get("text") or {})}
    return body


def wire_input(messages: Sequence[Message], *, deployment: str) -> _Items:
    """The conversation as items; reasoning goes back within its turn, to the deployment that wrote it."""
    messages = with_note_inside(messages)
    start = turn_start(messages)
    items: _Items = []
    for at, message in enumerate(messages):
        if message["role"] == "tool":
            output = _content(message, deployment)
            items.append({"type": "function_call_output", "call_id": message.get("tool_call_id", ""), "output": output})
        elif message["role"] == "assistant":
            items.extend(_assistant(message, deployment if at >= start else None))
        else:
            items.append({"role": message["role"], "content": _content(message, deployment)})
    return items


def _assistant(message: Message, deployment: str | None) -> _Items:
    """What a model said and called; with its reasoning where `deployment` is given."""
    text = text_of(message)
    items: _Items = [{"role": "assistant", "content": text}] if text else []
    for call in with_json_arguments(message.get("tool_calls") or ()):
        items.append({"type": "function_call", "call_id": call["id"], **call["function"]})
    parts = [] if deployment is None else own_parts(message, deployment, ("reasoning",))
    parts = [part for part in parts if part.get("id")]
    return interleaved(parts, items) if items else items


def _content(message: Message, deployment: str) -> str | _Items:
    content = message.get("content")
    if not isinstance(content, list):
        return content or ""
    if all(part.get("type") == "text" for part in content):
        return "\n\n".join(part.get("text") or "" for part in content)
    return [_part(part, deployment) for part in content]


def _part(part: Mapping[str, Any], deployment: str) -> dict[str, Any]:
    kind = part.get("type")
    if kind == "text":
        return {"type": "input_text", "text": part.get("text") or ""}
    if kind == "image_url":
        image = part.get("image_url")
        held = {"url": image} if isinstance(image, str) else dict(image or {})
        return {"type": "input_image", "image_url": held.get("url", ""), "detail": held.get("detail", "auto")}
    if kind == "file":
        return {"type": "input_file", **(part.get("file") or {})}
    if kind in ("input_text", "input_image", "input_file"):
        return {key: value for key, value in part.items() if key != "labels"}
    raise EndpointRefused(
        deployment,
        f"cannot take a part of type {kind!r}: the Responses API knows text, images and files",
        way_out="Route such conversations to a model that takes it.",
    )


def _tool(function: Mapping[str, Any]) -> dict[str, Any]:
    """A tool in the flat shape of this API, which would be strict if nobody said otherwise."""
    parameters = function.get("parameters") or {"type": "object", "properties": {}}
    return {"type": "function", "strict": False, **function, "parameters": parameters}


def _tool_choice(choice: str | Mapping[str, Any]) -> Any:
    found = wire_tool_choice(choice)
    if isinstance(found, Mapping) and found.get("type") == "function" and "function" in found:
        return {"type": "function", "name": found["function"]["name"]}
    return found


def _text(request: GenerationRequest) -> dict[str, Any]:
    text: dict[str, Any] = {}
    if (schema := request.output_schema) is not None:
        named = {"name": request.output_name, "schema": schema, "strict": is_strict(schema)}
        text["format"] = {"type": "json_schema", **named}
    if (verbosity := request.extra.get("verbosity")) is not None:
        text["verbosity"] = verbosity
    return text
