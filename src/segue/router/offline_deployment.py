"""The built-in rule-based model as a deployment: free, deterministic, without a network.

In: a request. Out: what `segue.router.offline.answer` says to it, its text given out word by word. What the rules can
do is told in `segue.router.offline`.
"""

from __future__ import annotations

import re
import time
from typing import Any, cast

from segue.base.messages import OWN_KEYS, Message, enter, estimate_tokens, text_of
from segue.router.deployment import Deployment, estimated_usage
from segue.router.types import GenerationRequest, OnDelta, Reply, TextDelta, ToolCallDelta

_LEFT_BEHIND = OWN_KEYS - {"failed"}
_WORD = re.compile(r"\s*\S+\s*")
OFFLINE_MODEL = "offline/rules-1"


class OfflineDeployment(Deployment):
    """`offline/rules-1`."""

    engine = "offline"
    model = OFFLINE_MODEL

    def __init__(self, name: str = "offline", *, weight: float = 1.0) -> None:
        self.name = name
        self.weight = weight

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        """Answer by the rules; `deadline` is not looked at, since there is nothing to wait for."""
        from segue.router.offline import answer

        start = time.monotonic()
        message = answer(
            [dict(tool) for tool in request.tools],
            [plain for asked in request.messages for plain in _plain(asked)],
            output_schema=None if request.output_schema is None else dict(request.output_schema),
            tool_choice=cast(Any, request.tool_choice),
        )
        enter(message, source=OFFLINE_MODEL)
        first_token_s = time.monotonic() - start
        if on_delta is not None:
            show_whole(message, on_delta)
        return Reply(
            message=message,
            usage=estimated_usage(request, output_tokens=estimate_tokens(message), cost_usd=0.0),
            finish_reason="tool_calls" if message.get("tool_calls") else "stop",
            model=OFFLINE_MODEL,
            first_token_s=first_token_s,
        )

    async def quote(self, input_tokens: int, output_tokens: int) -> float | None:
        """Nothing: it is free."""
        return 0.0


def _plain(message: Message) -> list[dict[str, Any]]:
    """The message without our own keys.

    Where a request comes in several parts of text, the last one asks; those before it are what it may refer to, and
    stand before it as the result of a tool would.
    """
    if message.get("note"):
        return []
    plain = {key: value for key, value in message.items() if key not in _LEFT_BEHIND}
    parts = message.get("content")
    if message["role"] != "user" or not isinstance(parts, list) or len(parts) < 2:
        return [plain]
    if any(part.get("type") != "text" for part in parts):
        return [plain]
    call = {"id": "earlier", "type": "function", "function": {"name": "earlier_results", "arguments": "{}"}}
    earlier = "\n\n".join(part.get("text") or "" for part in parts[:-1])
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "earlier", "name": "earlier_results", "content": earlier},
        {**plain, "content": parts[-1].get("text") or ""},
    ]


def show_whole(message: Message, on_delta: OnDelta) -> None:
    """Give out a message that came in one piece: its text word by word, then its tool calls."""
    for word in _WORD.findall(text_of(message)):
        on_delta(TextDelta(word))
    for index, call in enumerate(message.get("tool_calls", ())):
        on_delta(ToolCallDelta(index, call["id"], call["function"]["name"], call["function"]["arguments"]))
