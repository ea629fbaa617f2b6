"""From a request to the body that Anthropic's Messages API takes.

In: a `GenerationRequest` and the settings of the deployment. Out: plain data for `POST /messages`. What the API cannot
take is either put in words that it can (a schema that it cannot keep to becomes a tool) or refused with an error that
lets another deployment answer. Conversations are turned in `segue.router.anthropic.messages`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from segue.base.messages import Message
from segue.router.anthropic.messages import CACHE, wire_messages
from segue.router.anthropic.schema import AnswerTool, can_be_kept, kept_schema
from segue.router.body import wire_tool_choice
from segue.router.reasoning import own_parts, turn_start
from segue.router.settings import DeploymentSettings
from segue.router.types import GenerationRequest

DEFAULT_MAX_TOKENS = 32_000
"""The API wants a limit; all models since Claude 4 can write so much."""
THINKING = ("thinking", "redacted_thinking")
_OPENAI_ONLY = frozenset(
    {
        "frequency_penalty", "logit_bias", "logprobs", "n", "presence_penalty", "prompt_cache_key", "reasoning_effort",
        "response_format", "seed", "store", "stream_options", "top_logprobs", "user", "verbosity",
    }
)  # fmt: skip
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_WITHOUT_FORMAT = re.compile(r"claude-(2|3|instant)|claude-(opus|sonnet)-4(-0|-1)?(-\d{8})?$")
"""Models that have no `output_config.format`."""


def build_body(request: GenerationRequest, settings: DeploymentSettings, *, deployment: str) -> dict[str, Any]:
    """The body of a streamed answer; `request.extra` overrides what stands here.

    Of `extra`, what only OpenAI's API has is left out, and `reasoning_effort` becomes `output_config.effort`, so that
    one route may hold both.

    Raises:
        EndpointRefused: The conversation holds a part that the API does not know.
    """
    extra = {key: value for key, value in request.extra.items() if key not in _OPENAI_ONLY}
    answer = answer_tool(request, settings)
    system, messages = wire_messages(request.messages, deployment=deployment, kinds=THINKING)
    body: dict[str, Any] = {"model": settings.model, "messages": messages, "stream": True}
    if system:
        body["system"] = system
    if tools := _tools(request, answer):
        body["tools"] = tools
    choice = {"type": "tool", "name": answer.name} if answer else _tool_choice(request)
    if choice:
        body["tool_choice"] = choice
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    config = _output_config(request, settings)
    if isinstance(extra.get("output_config"), Mapping):
        config.update(extra.pop("output_config"))
    if config:
        body["output_config"] = config
    if not _may_think(extra.get("thinking"), choice, request.messages, deployment):
        extra.pop("thinking", None)
    thinking = extra.get("thinking") or {}
    if request.temperature is not None and thinking.get("type") not in ("enabled", "adaptive"):
        body["temperature"] = request.temperature
    limits = [limit for limit in (request.max_output_tokens, settings.max_output_tokens) if limit is not None]
    body["max_tokens"] = min(limits) if limits else DEFAULT_MAX_TOKENS
    body.update(extra)
    return body


def answer_tool(request: GenerationRequest, settings: DeploymentSettings) -> AnswerTool | None:
    """The tool whose input is the answer, where a schema must be asked for that way.

    With tools beside it no tool can be forced: then the schema is left to whoever asked.
    """
    schema = request.output_schema
    if schema is None or request.tools or _has_format(schema, settings.model):
        return None
    return AnswerTool.of(request.output_name, schema)


def _has_format(schema: Mapping[str, Any], model: str) -> bool:
    return "claude" in model and not _WITHOUT_FORMAT.search(model) and can_be_kept(schema)


def _output_config(request: GenerationRequest, settings: DeploymentSettings) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if effort := _EFFORTS.get(str(request.extra.get("reasoning_effort"))):
        config["effort"] = effort
    if request.output_schema is not None and _has_format(request.output_schema, settings.model):
        config["format"] = {"type": "json_schema", "schema": kept_schema(request.output_schema)}
    return config


def _tools(request: GenerationRequest, answer: AnswerTool | None) -> list[dict[str, Any]]:
    """The tools by name, the last one closing a prefix to cache; `answer` is the one that takes the answer.

    Tool calls in the conversation are refused where no tool is declared, so those that were called are.
    """
    functions = [tool.get("function", tool) for tool in request.tools]
    if not functions:
        called = {call["function"]["name"] for message in request.messages for call in message.get("tool_calls", ())}
        functions = [{"name": name} for name in called]
    if answer is not None:
        functions = [each for each in functions if each["name"] != answer.name]
        functions.append({"name": answer.name, "description": "Give the answer.", "parameters": answer.schema})
    tools: list[dict[str, Any]] = []
    for function in sorted(functions, key=lambda function: function["name"]):
        tool = {"name": function["name"], "input_schema": {"type": "object", **(function.get("parameters") or {})}}
        if description := function.get("description"):
            tool["description"] = description
        tools.append(tool)
    if tools:
        tools[-1]["cache_control"] = CACHE
    return tools


def _tool_choice(request: GenerationRequest) -> dict[str, Any] | None:
    if not request.tools:
        called = any(message.get("tool_calls") for message in request.messages)
        return {"type": "none"} if called else None
    choice = _choice(request.tool_choice)
    if request.parallel_tool_calls is False and (choice or {}).get("type") != "none":
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    return choice


def _choice(choice: str | Mapping[str, Any] | None) -> dict[str, Any] | None:
    if choice is None:
        return None
    found = wire_tool_choice(choice)
    if isinstance(found, str):
        return {"type": {"required": "any"}.get(found, found)}
    if found.get("type") == "function":
        return {"type": "tool", "name": found["function"]["name"]}
    return dict(found)


def _may_think(thinking: Any, choice: Mapping[str, Any] | None, messages: Sequence[Message], deployment: str) -> bool:
    """Whether thinking may be asked for: not beside a forced tool, nor in a turn that somebody else has begun.

    See https://platform.claude.com/docs/en/build-with-claude/extended-thinking.
    """
    if (choice or {}).get("type") in ("any", "tool"):
        return False
    if not isinstance(thinking, Mapping) or thinking.get("type") != "enabled":
        return True
    begun = [message for message in messages[turn_start(messages) :] if message.get("tool_calls")]
    return all(own_parts(message, deployment, THINKING) for message in begun[-1:])
