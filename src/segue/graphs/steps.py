"""Steps with a reason: what a node or a router function returns to say where to go, and why.

    return Goto("act", update={...}, because="the model asked for two tools")      # in a node
    return because("retry", "the score was below 0.8")                             # in a router function

Both are understood by plain LangGraph too, which ignores the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langgraph.types import Command, Send


class Goto(Command[Any]):
    """LangGraph's `Command(goto=…)` with the reason that the trace shows."""

    because: str

    def __init__(
        self, goto: str | Send | Sequence[str | Send], *, update: dict[str, Any] | None = None, because: str
    ) -> None:
        super().__init__(goto=goto, update=update)
        object.__setattr__(self, "because", because)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


def led(step: Goto, target: str, instead: str) -> Goto:
    """The step, leading to `instead` where it led to `target`: a guard node stands before it."""
    if step.goto != target or target == instead:
        return step
    return Goto(instead, update=step.update, because=step.because)


class _Because(str):
    """A target that carries its reason; everywhere else it is the target's name."""

    __slots__ = ("reason",)
    reason: str


def because(target: str, reason: str) -> str:
    """The target of a conditional edge, with the reason why it was taken."""
    held = _Because(target)
    held.reason = reason
    return held


def reason_of(step: Any) -> str:
    """The reason that a step carries; empty where it carries none."""
    if isinstance(step, Goto):
        return step.because
    return step.reason if isinstance(step, _Because) else ""
