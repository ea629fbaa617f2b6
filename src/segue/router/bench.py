"""How fast a deployment answers: real generations through its own wire, so many side by side.

In: a deployment, how many requests of which size. Out: their first tokens, tokens a second, errors and cost. Each
prompt begins with words of its own, so that no prefix cache helps.
"""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from segue.base.errors import EndpointError
from segue.router.deployment import Deployment
from segue.router.types import Delta, GenerationRequest, Reply

TIMEOUT_S = 120.0
_WORDS = "one two three four five six seven eight nine ten "
_ASK = "Count upward from one, in words, and do not stop. Before that, here is some text to read over: "
_LEAST_TOKENS = 2
_LEAST_S = 0.001
"""An answer that comes all at once says nothing of how fast it was written."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What is asked."""

    requests: int = 20
    concurrency: int = 4
    """Requests side by side."""
    input_tokens: int = 1000
    """About so many."""
    output_tokens: int = 100
    """At most so many; exactly so many where the engine can be told to (vLLM)."""
    timeout_s: float = TIMEOUT_S
    """For each request."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What came of it."""

    answered: int
    errors: dict[str, int] = field(default_factory=dict)
    """How many failed, by the kind of failure."""
    error: str = ""
    """What the first of them said."""
    first_token_p50_s: float | None = None
    first_token_p95_s: float | None = None
    stream_tokens_s: float | None = None
    """Tokens a second of one answer after its first token, the median."""
    tokens_s: float = 0.0
    """Tokens a second of all answers together."""
    input_tokens: int = 0
    """As the server counts them."""
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float | None = 0.0
    """`None` where no price is known."""
    duration_s: float = 0.0


@dataclass(frozen=True)
class _Answer:
    reply: Reply
    first_token_s: float
    took_s: float


async def bench(deployment: Deployment, wanted: Bench, *, ended: Callable[[], None] = lambda: None) -> Measured:
    """Ask, and measure; `ended` is called as each request ends. What fails is counted, never raised."""
    numbers, answers, failures = iter(range(wanted.requests)), list[_Answer](), list[EndpointError]()

    async def worker() -> None:
        for _ in numbers:
            try:
                answers.append(await _ask(deployment, wanted))
            except EndpointError as error:
                failures.append(error)
            ended()

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(min(wanted.concurrency, wanted.requests)):
            group.create_task(worker())
    return _measured(answers, failures, time.monotonic() - began)


async def _ask(deployment: Deployment, wanted: Bench) -> _Answer:
    text = f"{uuid.uuid4().hex} {_ASK}{_WORDS * (wanted.input_tokens // 10)}"
    exact = {"ignore_eos": True, "min_tokens": wanted.output_tokens} if deployment.engine == "vllm" else {}
    request = GenerationRequest(
        messages=[{"role": "user", "content": text}], max_output_tokens=wanted.output_tokens, extra=exact
    )
    began = time.monotonic()
    seen: list[float] = []

    def look(delta: Delta) -> None:
        if not seen:
            seen.append(time.monotonic() - began)

    reply = await deployment.generate(request, on_delta=look, deadline=began + wanted.timeout_s)
    took_s = time.monotonic() - began
    return _Answer(reply, reply.first_token_s or (seen[0] if seen else took_s), took_s)


def _measured(answers: list[_Answer], failures: list[EndpointError], duration_s: float) -> Measured:
    usages = [each.reply.usage for each in answers]
    first = sorted(each.first_token_s for each in answers)
    streams = [
        (each.reply.usage.output_tokens - 1) / (each.took_s - each.first_token_s)
        for each in answers
        if each.reply.usage.output_tokens >= _LEAST_TOKENS and each.took_s - each.first_token_s > _LEAST_S
    ]
    costs = [usage.cost_usd for usage in usages]
    output_tokens = sum(usage.output_tokens for usage in usages)
    return Measured(
        answered=len(answers),
        errors=dict(Counter(str(getattr(each, "outcome", "failed")) for each in failures)),
        error=failures[0].message if failures else "",
        first_token_p50_s=_percentile(first, 0.50),
        first_token_p95_s=_percentile(first, 0.95),
        stream_tokens_s=statistics.median(streams) if streams else None,
        tokens_s=output_tokens / duration_s if duration_s > 0 else 0.0,
        input_tokens=sum(usage.input_tokens for usage in usages),
        output_tokens=output_tokens,
        cached_tokens=sum(usage.cached_tokens for usage in usages),
        cost_usd=None if None in costs else sum(cost or 0.0 for cost in costs),
        duration_s=duration_s,
    )


def _percentile(held: list[float], part: float) -> float | None:
    return held[min(len(held) - 1, int(len(held) * part))] if held else None
