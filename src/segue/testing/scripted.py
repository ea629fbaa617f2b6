"""A scripted model: replies in their order in, one of them for each generation out.

    model = ScriptedModel([call("find_customer", email="ann@example.org"), "She is a Plus member."])
    agent = Agent("support", model=model, tools=[find_customer])

It is a deployment, so it stands wherever a model can be named. What it was asked is in `requests`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from segue.base.errors import UserError
from segue.base.messages import Message, ToolCall, assistant, text_of, tool_call
from segue.base.usage import Usage
from segue.router.deployment import Deployment
from segue.router.types import GenerationRequest, OnDelta, Reply, TextDelta, ToolCallDelta

_PIECE = re.compile(r"\s*\S+\s*|\s+")

Scripted = Any
"""Text; a tool call or a list of them (`call`, `calls`); a message; data for a typed answer (`dict`); an exception to
raise; or a function of the request that gives one of these, awaited where it is async."""


class ScriptExhausted(UserError):
    """The model was asked more often than its script has replies."""


def call(name: str, /, call_id: str | None = None, **arguments: Any) -> ToolCall:
    """A tool call for a script."""
    return tool_call(name, arguments, call_id=call_id)


def calls(*items: ToolCall) -> list[ToolCall]:
    """Several tool calls of one reply."""
    return list(items)


class ScriptedModel(Deployment):
    """Says what it was told to say.

    Args:
        replies: In their order; see `Scripted`. A single function is asked each time, without end.
        name: Its name as a deployment.
        cost_usd: What each generation costs.
        stream: Whether text comes word by word; else in one piece.
    """

    engine = "scripted"

    def __init__(
        self,
        replies: Iterable[Scripted] | Callable[[GenerationRequest], Scripted],
        *,
        name: str = "scripted",
        cost_usd: float | None = 0.0,
        stream: bool = True,
    ) -> None:
        self.name = name
        self.model = name
        self.requests: list[GenerationRequest] = []
        self._always = replies if callable(replies) else None
        self._replies: list[Scripted] = [] if callable(replies) else list(replies)
        self._cost_usd = cost_usd
        self._stream = stream

    @property
    def left(self) -> int:
        """Replies that were not asked for yet."""
        return len(self._replies)

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        """The next reply of the script.

        Raises:
            ScriptExhausted: There is none left. The message says what was asked.
        """
        self.requests.append(request)
        message = _as_message(await self._next(request))
        if on_delta is not None:
            self._show(message, on_delta)
        asked = sum(each.get("tokens", 0) for each in request.messages)
        usage = Usage(
            input_tokens=asked, output_tokens=message.get("tokens", 0), model_calls=1, cost_usd=self._cost_usd
        )
        finish = "tool_calls" if message.get("tool_calls") else "stop"
        return Reply(message=message, usage=usage, finish_reason=finish, model=self.model, first_token_s=0.0)

    async def quote(self, input_tokens: int, output_tokens: int) -> float | None:
        """The same for each generation."""
        return self._cost_usd

    async def _next(self, request: GenerationRequest) -> Any:
        if self._always is not None:
            reply = self._always
        elif self._replies:
            reply = self._replies.pop(0)
        else:
            last = text_of(request.messages[-1])[:200] if request.messages else ""
            raise ScriptExhausted(
                f"ScriptedModel {self.name!r} was asked {len(self.requests)} times and has no reply left; "
                f"the last message it was given: {last!r}"
            )
        if callable(reply):
            reply = reply(request)
            if asyncio.iscoroutine(reply):
                reply = await reply
        if isinstance(reply, BaseException):
            raise reply
        return reply

    def _show(self, message: Message, on_delta: OnDelta) -> None:
        text = text_of(message)
        for piece in _PIECE.findall(text) if self._stream else [text] if text else []:
            on_delta(TextDelta(piece))
        for index, each in enumerate(message.get("tool_calls", ())):
            on_delta(ToolCallDelta(index, each["id"], each["function"]["name"], each["function"]["arguments"]))


def _as_message(reply: Any) -> Message:
    if isinstance(reply, str):
        return assistant(reply)
    if isinstance(reply, list):
        return assistant(None, reply)
    if isinstance(reply, dict):
        if reply.get("role") == "assistant":
            return assistant(reply.get("content"), reply.get("tool_calls", ()))
        if reply.get("type") == "function":
            return assistant(None, [reply])  # type: ignore[list-item]
        return assistant(json.dumps(reply))
    raise UserError(f"a script holds text, calls, messages, data, exceptions or functions, not {type(reply).__name__}")
