"""The generations of a check: a server in, findings about what only answers show out."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from segue.router.body import response_format, wire_tools
from segue.router.errors import AttemptError
from segue.router.vllm_servers.asking import Said, Server
from segue.router.vllm_servers.finding import (
    AFTER_ANSWER,
    AUTO_TOOLS,
    CACHED,
    GENERATION,
    STREAM_USAGE,
    STRUCTURED,
    TOOLS,
    Finding,
    Property,
)
from segue.router.vllm_servers.metrics import VllmMetrics

_SCHEMA = {
    "type": "object",
    "properties": {"unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["unit"],
    "additionalProperties": False,
}
_TOOL = {"name": "set_unit", "description": "Set the unit of temperatures.", "parameters": _SCHEMA}
_PARSER = "--tool-call-parser"
"""What newer versions name when they refuse a required call for want of it."""
_ROOM = 512
"""Tokens for an answer that must fit a schema; a model that thinks first needs them."""
_BLOCKS = 3
"""Only whole blocks are cached: the prompt that is sent twice is longer than one."""
_BLOCK_SIZE = 256
"""Where the server does not tell: more than any usual one."""


class Probes:
    """Asks one server for tiny generations."""

    def __init__(self, server: Server, metrics: VllmMetrics | None) -> None:
        """`metrics` is what the server said before; `None` where it said nothing."""
        self._server = server
        self._metrics = metrics

    async def findings(self) -> list[Finding]:
        """What the generations show, one after the other; the rest is unknown where the engine gives no token."""
        prompt = self._long_prompt()
        try:
            first = await self._ask(prompt, max_tokens=1)
        except AttemptError as error:
            return _nothing_but(GENERATION.missing(error.message))
        if first.status != 200:
            return _nothing_but(GENERATION.missing(self._server.error(first).message))
        looks: Sequence[tuple[Property, Callable[[], Awaitable[Finding]]]] = (
            (CACHED, lambda: self._cached(prompt)),
            (STREAM_USAGE, self._stream),
            (TOOLS, self._tools),
            (AUTO_TOOLS, self._auto_tools),
            (STRUCTURED, self._structured),
        )
        found = [GENERATION.ok(f"{first.took_s * 1000:.0f} ms for a prompt of {_prompt_tokens(first)} tokens")]
        for wanted, look in looks:
            try:
                found.append(await look())
            except AttemptError as error:
                found.append(wanted.unknown(error.message))
        return found

    async def _cached(self, prompt: str) -> Finding:
        """The same prompt once more: where it is cached, usage must say so."""
        said = await self._ask(prompt, max_tokens=1)
        details = _usage(said.json()).get("prompt_tokens_details")
        if isinstance(details, dict) and details.get("cached_tokens") is not None:
            return CACHED.ok(f"{details['cached_tokens']} of {_prompt_tokens(said)} were cached")
        if self._metrics is not None and self._metrics.prefix_caching is False:
            return CACHED.unknown("nothing is cached, so there is nothing to tell")
        return CACHED.missing("usage says nothing of them")

    async def _stream(self) -> Finding:
        said = await self._ask("Hello.", max_tokens=2, stream=True, stream_options={"include_usage": True})
        if said.status != 200:
            return STREAM_USAGE.unknown(self._server.error(said).message)
        chunks = [orjson.loads(line[6:]) for line in said.text().splitlines() if line.startswith("data: {")]
        if any(_usage(chunk).get("completion_tokens") is not None for chunk in chunks):
            return STREAM_USAGE.ok("the last chunk has it")
        return STREAM_USAGE.missing("no chunk has it")

    async def _tools(self) -> Finding:
        tools = wire_tools([_TOOL], strict=True)
        said = await self._ask("Use fahrenheit.", max_tokens=_ROOM, tools=tools, tool_choice="required")
        if said.status != 200:
            detail = self._server.error(said).message
            return TOOLS.missing(detail, mend=AUTO_TOOLS.mend if _PARSER in detail else None)
        message, finish = _answer(said)
        calls = message.get("tool_calls") or ()
        texts = [(call.get("function") or {}).get("arguments") for call in calls if isinstance(call, dict)]
        if texts and all(_fits(text) for text in texts):
            return TOOLS.ok("a required, strict call came with arguments that fit")
        if finish == "length":
            return TOOLS.unknown(f"no whole call within {_ROOM} tokens")
        if not texts:
            return TOOLS.missing("a call was required, and none came")
        return TOOLS.missing("a strict call came with arguments that do not fit")

    async def _auto_tools(self) -> Finding:
        tools = wire_tools([_TOOL], strict=True)
        said = await self._ask("Use fahrenheit.", max_tokens=1, tools=tools, tool_choice="auto")
        if said.status == 200:
            return AUTO_TOOLS.ok("a request with tools is taken")
        error = self._server.error(said)
        return AUTO_TOOLS.missing(error.message) if said.status == 400 else AUTO_TOOLS.unknown(error.message)

    async def _structured(self) -> Finding:
        wanted = response_format(_SCHEMA, "unit")
        said = await self._ask("Which unit is used in Sweden?", max_tokens=_ROOM, response_format=wanted)
        if said.status != 200:
            return STRUCTURED.missing(self._server.error(said).message)
        message, finish = _answer(said)
        if _fits(message.get("content")):
            return STRUCTURED.ok("the answer fits its schema")
        if finish == "length":
            return STRUCTURED.unknown(f"no whole answer within {_ROOM} tokens")
        return STRUCTURED.missing("the answer does not fit its schema")

    async def _ask(self, text: str, **more: Any) -> Said:
        body = {"model": self._server.settings.model, "messages": [{"role": "user", "content": text}], "temperature": 0}
        return await self._server.post("/v1/chat/completions", {**body, **more})

    def _long_prompt(self) -> str:
        """Longer than some blocks, within the context, and like none before it."""
        size = (self._metrics and self._metrics.block_size) or _BLOCK_SIZE
        words = size * _BLOCKS
        if self._server.settings.context_tokens is not None:
            words = min(words, self._server.settings.context_tokens // 8)
        return f"{uuid.uuid4().hex} " + "one two " * (words // 2)


def _nothing_but(finding: Finding) -> list[Finding]:
    """The finding that the engine gives no token, and what that leaves in the dark."""
    rest = [each for each in AFTER_ANSWER if each.name != finding.name]
    return [finding, *(each.unknown("no generation came") for each in rest)]


def _answer(said: Said) -> tuple[dict[str, Any], str]:
    """The message and why it ended; empty where the answer is none."""
    with contextlib.suppress(KeyError, IndexError, TypeError):
        choice = said.json()["choices"][0]
        return dict(choice["message"]), str(choice.get("finish_reason") or "")
    return {}, ""


def _usage(data: Any) -> dict[str, Any]:
    usage = data.get("usage") if isinstance(data, dict) else None
    return usage if isinstance(usage, dict) else {}


def _prompt_tokens(said: Said) -> int:
    return int(_usage(said.json()).get("prompt_tokens") or 0)


def _fits(text: Any) -> bool:
    """Whether a text is JSON that fits the schema of the probe."""
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped, unused-ignore]

    try:
        return bool(Draft202012Validator(_SCHEMA).is_valid(orjson.loads(text or "")))
    except (orjson.JSONDecodeError, TypeError):
        return False
