"""Budgeting: meters below the run's, for an agent, a team or a task.

In: a run's context. Out: the same with a meter of its own, which counts at those above it too. A worker whose own
budget ends fails its task; the run goes on. Those who work before an answer is given leave a share for the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from segue.base.budget import Budget, Meter
from segue.base.errors import RunStopped
from segue.base.messages import Message, text_of
from segue.context.run import RunContext

ANSWER_SHARE = 0.15
"""Of tokens, dollars and time, what those who work before an answer leave over for it."""
ANSWER_CALLS = 4
"""From so many model calls on, one of them is kept for the answer."""


Spent = Callable[[], dict[str, Any]]


def within(ctx: RunContext[Any], budget: Budget, name: str) -> RunContext[Any]:
    """The context for one who has a budget of its own, from now on, within what those above allow."""
    deadline = None if budget.wall_s is None else ctx.services.clock.monotonic() + budget.wall_s
    return _at(ctx, Meter(budget, parent=ctx.meter, name=name, deadline=deadline))


def before_answer(ctx: RunContext[Any], name: str) -> RunContext[Any]:
    """The context for one who works before an answer is given: a share of each limit above is kept for it."""
    keep = {kind: ANSWER_SHARE * least for kind in ("tokens", "cost_usd") if (least := _limit(ctx, kind)) is not None}
    calls, wall_s = _limit(ctx, "model_calls"), _limit(ctx, "wall_s")
    if calls is not None and calls >= ANSWER_CALLS:
        keep["model_calls"] = 1
    deadline = None
    if wall_s is not None and ctx.deadline is not None:
        deadline = ctx.deadline - ANSWER_SHARE * wall_s
    if not keep and deadline is None:
        return ctx
    return _at(ctx, Meter(parent=ctx.meter, name=name, keep=keep, deadline=deadline))


class in_budget:  # noqa: N801 - reads as a function, and is entered at each step
    """Around a node of one who may have a budget of its own: goes on from what was spent before a stop.

    Gives a function that says what the node writes into its state of it. Where the run is stopped inside, the error is
    given what had been said until then.
    """

    __slots__ = ("_budget", "_ctx", "_state")

    def __init__(self, budget: Budget | None, state: Mapping[str, Any], ctx: RunContext[Any]) -> None:
        self._budget, self._state, self._ctx = budget, state, ctx

    def __enter__(self) -> Spent:
        if self._budget is not None:
            self._ctx.meter.restore(self._state.get("spent"))
        return self._spent

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        if isinstance(error, RunStopped):
            error.partial = error.partial or said_last(self._state.get("messages", ()))

    def _spent(self) -> dict[str, Any]:
        return {} if self._budget is None else {"spent": self._ctx.meter.spending()}


def ends_run(stopped: RunStopped, name: str, ctx: RunContext[Any]) -> bool:
    """Whether what stopped a worker stops the run that it works for too.

    A loop, and a budget that is the worker's own or of somebody below it, only fail its task. `ctx` is the context of
    who sent it to work.
    """
    if stopped.reason == "loop":
        return False
    above = {meter.name for meter in ctx.meter.chain()}
    return not stopped.owner or (stopped.owner != name and stopped.owner in above)


def told_stop(stopped: RunStopped) -> str:
    """What is said of a worker that was stopped: why, and what it had come to."""
    return f"{stopped.message}\n\nUntil then: {stopped.partial}" if stopped.partial else stopped.message


def said_last(messages: Sequence[Message]) -> str:
    """The last text of a model in the current turn; empty where it said nothing yet."""
    for message in reversed(messages):
        if message["role"] == "user":
            break
        if message["role"] == "assistant" and (text := text_of(message)):
            return text
    return ""


def _limit(ctx: RunContext[Any], kind: str) -> float | None:
    """The smallest limit of a kind, here or above."""
    found = [limit for meter in ctx.meter.chain() if (limit := getattr(meter.budget, kind)) is not None]
    return min(found, default=None)


def _at(ctx: RunContext[Any], meter: Meter) -> RunContext[Any]:
    limits = [each for each in (ctx.deadline, meter.deadline) if each is not None]
    return ctx.at(meter=meter, deadline=min(limits, default=None))
