"""Nearing: whether little is left of a budget, and the note that tells the model so.

In: the meters of a run, and what the next generation takes at least. Out: the request with a note as its last message.
The note belongs to this one request: it is stored nowhere and stands behind everything that a server may have cached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from segue.base.messages import Message, enter
from segue.context.run import RunContext
from segue.router.types import GenerationRequest

LITTLE = 0.2
"""Below this share of a limit, little is left."""
_WORDS = {"tokens": "tokens", "model_calls": "model calls", "tool_calls": "tool calls"}


@dataclass(frozen=True, kw_only=True)
class Low:
    """One limit of which little is left."""

    limit: str
    of: float
    left: float
    """After the input of the next generation; never below 0."""
    last: bool
    """Whether the next generation is the last one that it allows."""

    def __str__(self) -> str:
        if self.limit == "cost_usd":
            return f"${self.left:.2g} of ${self.of:.2g}"
        if self.limit == "wall_s":
            return f"{self.left:.0f} of {self.of:g} seconds"
        return f"{self.left:,.0f} of {self.of:,.15g} {_WORDS[self.limit]}"


def low_limits(ctx: RunContext[Any], input_tokens: int, input_usd: float) -> list[Low]:
    """The limits of which little will be left once the input of the next generation is paid, tightest of each kind."""
    takes = (("model_calls", 0), ("tool_calls", 0), ("tokens", input_tokens), ("cost_usd", input_usd))
    found, bounds = [], ctx.meter.bounds()
    for name, take in takes:
        if name in bounds and (held := ctx.meter.left(name)):
            each = held[0] if len(held) == 1 else min(held, key=lambda one: one.unspent / one.limit)
            left = max(0.0, each.unspent - take)
            last = name != "tool_calls" and (left <= 1 if name == "model_calls" else left <= take)
            if last or left <= LITTLE * each.limit:
                found.append(Low(limit=name, of=each.limit, left=left, last=last))
    return found + _late(ctx)


def _late(ctx: RunContext[Any]) -> list[Low]:
    for meter in ctx.meter.chain():
        limit, deadline = meter.budget.wall_s, meter.deadline if meter.parent is not None else ctx.deadline
        if limit is None or deadline is None:
            continue
        left = deadline - ctx.services.clock.monotonic()
        if left <= LITTLE * limit:
            return [Low(limit="wall_s", of=limit, left=max(0.0, left), last=False)]
    return []


def as_note(request: GenerationRequest, low: Sequence[Low]) -> GenerationRequest:
    """The request, ending with a note that says what is left; where no further one can follow, without tool calls."""
    if not low:
        return request
    no_tools = any(each.last or (each.limit == "tool_calls" and each.left < 1) for each in low)
    text = f"[budget] Left of this run's budget: {', '.join(map(str, low))}. Conclude now: answer with what you have"
    text += ", and say what is missing."
    if no_tools and request.tools:
        text += " No further tool can be called."
    note: Message = enter({"role": "system", "content": text, "note": True})
    return replace(
        request,
        messages=[*request.messages, note],
        input_estimate=request.input_estimate + note["tokens"],
        tool_choice="none" if no_tools and request.tools and request.tool_choice is None else request.tool_choice,
    )
