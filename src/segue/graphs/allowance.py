"""Allowances: what one generation may take of the budgets above it, reserved before the model is asked.

In: a request and the meters that it counts at. Out: the request as it may be sent - its answer capped at what is left,
a note at its end where little is left - and a reservation of its worst case. Where the rest is only held by others,
it waits until they are done; where nothing more is to be had, the run stops. What a model took is said by
`segue.graphs.generation`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Self

from segue.base.budget import Left, Reservation, over_budget
from segue.base.errors import EndpointError, RunStopped
from segue.base.quick import quick
from segue.base.usage import Usage
from segue.context.run import RunContext
from segue.graphs.nearing import as_note, low_limits
from segue.router.forecast import Forecast
from segue.router.types import GenerationRequest

LONGEST_TOKENS = 32_768
"""The most that is held for one answer; where that much is left, no cap is sent to the model."""
SHORTEST_TOKENS = 16
"""An answer that may not even be this long is not asked for."""
TASK_SHARE = 4
"""Of what is left, a task beside others first takes one part in so many for its answer."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one generation may take."""

    request: GenerationRequest
    """As it may be sent."""
    held: Reservation
    forecast: Forecast | None = None
    """`None` where nothing is bounded by tokens or dollars."""
    output_tokens: int | None = None
    """The cap that the budget sets on the answer; `None` where it sets none."""
    whole: bool = True
    """Whether that is all that was left, not only a share of it."""
    limits: tuple[Left, ...] = ()
    """The budgets that set the cap, tightest first."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.held.__exit__(*error)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Deployments that may answer and whose price is not known, though dollars are bounded."""
        return self.forecast.unpriced if self.forecast is not None else ()

    def unknown(self, streamed_tokens: int) -> Usage:
        """What to count for a generation that broke off: its input, and what was seen of it, else what was expected."""
        expected = self.forecast
        if expected is None:
            estimate = self.request.input_estimate
            return Usage(input_tokens=estimate, output_tokens=streamed_tokens, model_calls=1, cost_usd=None)
        held = int(self.held.amounts["tokens"]) - expected.input_tokens
        output = min(held, streamed_tokens or expected.typical_output_tokens)
        priced = self.held.amounts["cost_usd"] > 0 and not expected.unpriced
        cost = expected.cost_usd(output) if priced else None
        return Usage(input_tokens=expected.input_tokens, output_tokens=output, model_calls=1, cost_usd=cost)

    def cut_off(self, finish_reason: str) -> bool:
        """Whether the answer ended where the budget's cap stands."""
        return finish_reason == "length" and self.output_tokens is not None

    def stop(self, partial: str) -> RunStopped:
        """What is raised where the answer was cut off and nothing more is left."""
        error = over_budget(0, self.limits[0], f"the answer was cut off after {self.output_tokens} tokens")
        error.partial = partial
        return error


async def allow(ctx: RunContext[Any], request: GenerationRequest, *, route: Any, share: int) -> Allowance:
    """Reserve the worst case of a generation and give the request as it may be sent; settle it inside `with`.

    Raises:
        RunStopped: A budget does not allow it, or the deadline passed while it waited for what others hold.
    """
    bounds, meter = ctx.meter.bounds(), ctx.meter
    if not bounds & {"tokens", "cost_usd"}:
        request = as_note(request, low_limits(ctx, 0, 0.0)) if bounds else request
        return Allowance(request=request, held=meter.reserve(model_calls=1))
    priced = "cost_usd" in bounds
    forecast = await _forecast(ctx, request, route, priced=priced)
    if low := low_limits(ctx, forecast.input_tokens, forecast.input_usd):
        noted = as_note(request, low)
        longer = await _forecast(ctx, noted, route, priced=priced)
        if _room(ctx, longer) >= SHORTEST_TOKENS:  # else the note would cost the answer
            request, forecast = noted, longer
    while (size := _size(ctx, forecast, share)) is None:
        await _freed(ctx)
    output, whole = size
    amount, capped = forecast.input_tokens + output, output < _longest(forecast)
    bounding = (*meter.left("tokens"), *meter.left("cost_usd")) if capped else ()  # as it was before this is held
    return Allowance(
        request=replace(request, max_output_tokens=output) if capped else request,
        held=meter.reserve(model_calls=1, tokens=amount, cost_usd=forecast.cost_usd(output)),
        forecast=forecast,
        output_tokens=output if capped else None,
        whole=whole,
        limits=tuple(sorted(bounding, key=lambda each: each.left / each.limit)),
    )


async def _forecast(ctx: RunContext[Any], request: GenerationRequest, route: Any, *, priced: bool) -> Forecast:
    try:
        return await ctx.services.router.forecast(
            route, speaker=request.speaker, input_tokens=request.input_estimate,
            max_output_tokens=request.max_output_tokens, priced=priced,
        )  # fmt: skip
    except EndpointError:  # the generation itself will say so, in its own span
        return Forecast(input_tokens=request.input_estimate, typical_output_tokens=SHORTEST_TOKENS)


def _longest(forecast: Forecast) -> int:
    """The most that an answer is thought to take where no budget bounds it."""
    found = forecast.max_output_tokens or max(LONGEST_TOKENS, forecast.typical_output_tokens)
    if forecast.context_tokens is not None:
        found = min(found, max(1, forecast.context_tokens - forecast.input_tokens))
    return found


def _size(ctx: RunContext[Any], forecast: Forecast, share: int) -> tuple[int, bool] | None:
    """Output tokens to hold, and whether that is all there is; `None` where it is worth to wait for what others hold.

    Raises:
        RunStopped: Nothing is left for it.
    """
    room, longest = _room(ctx, forecast), _longest(forecast)
    typical = min(longest, forecast.typical_output_tokens)
    ideal = longest if share == 1 else min(longest, max(typical, room // share))
    if room >= ideal:
        return ideal, ideal == longest or share == 1
    if room >= typical:
        return room, True
    if ctx.meter.held_by_others():
        return None
    if room >= min(SHORTEST_TOKENS, longest):
        return room, True
    output = min(SHORTEST_TOKENS, longest)
    tokens, cost = forecast.input_tokens + output, forecast.cost_usd(output)
    with ctx.meter.reserve(model_calls=1, tokens=tokens, cost_usd=cost):
        return output, True


def _room(ctx: RunContext[Any], forecast: Forecast) -> int:
    """How many tokens of output every budget still allows after the input; may be below 0."""
    room = 1 << 40
    tokens, dollars = ctx.meter.least("tokens"), ctx.meter.least("cost_usd")
    if tokens is not None:
        room = int(tokens) - forecast.input_tokens
    if dollars is not None:
        rest = dollars - forecast.input_usd
        if forecast.usd_per_output_token > 0:
            room = min(room, int(rest / forecast.usd_per_output_token))
        elif rest < -1e-9 or dollars <= 0:
            room = -1
    return room


async def _freed(ctx: RunContext[Any]) -> None:
    left = ctx.seconds_left()
    try:
        async with asyncio.timeout(left):
            await ctx.meter.freed()
    except TimeoutError:
        owner = ctx.meter.late(ctx.services.clock.monotonic()) or ""
        raise RunStopped("deadline", "the deadline passed while waiting for what others hold", owner=owner) from None
