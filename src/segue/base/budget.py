"""Budgets: what a run may spend at most, and the meter that keeps it.

A call's worst case is reserved before it is made and settled by what it really took, at the run's meter and at
each meter above it. So parallel workers never spend together what each alone would have been allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from segue.base.errors import BadInput, RunStopped
from segue.base.usage import Usage


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The most that a run may spend. `None` is no limit."""

    cost_usd: float | None = None
    """US dollars over all generations. A generation of unknown price counts as 0 here; its tokens still count."""
    tokens: int | None = None
    """Input and output tokens over all generations."""
    model_calls: int | None = None
    tool_calls: int | None = None
    wall_s: float | None = None
    """Seconds from the start of the run, or of the resume, to its end."""

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and value > 0):
                raise BadInput(f"Budget({name}={value!r}): a budget is above 0, or None for no limit")

    def to_dict(self) -> dict[str, Any]:
        """The limits that are set, as plain data."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in found.items() if value is not None}


@dataclass
class Reservation:
    """What is held for one call until it is settled."""

    tokens: int
    cost_usd: float
    model_calls: int
    tool_calls: int
    settled: Usage | None = None

    def settle(self, usage: Usage) -> None:
        """Say what the call really took; without it the whole reservation is given back."""
        self.settled = usage


class Meter:
    """Counts what was spent and what is reserved, against a budget, within the meter above."""

    def __init__(
        self, budget: Budget | None = None, *, parent: Meter | None = None, spent: Usage | None = None
    ) -> None:
        self.budget = budget or Budget()
        self.parent = parent
        self.spent = spent or Usage()
        self._held = Reservation(0, 0.0, 0, 0)

    @contextmanager
    def reserve(
        self, *, tokens: int = 0, cost_usd: float = 0.0, model_calls: int = 0, tool_calls: int = 0
    ) -> Iterator[Reservation]:
        """Hold a call's worst case while it runs; settle it inside with what it took.

        Raises:
            RunStopped: The budget, here or above, does not allow it. Nothing is held then.
        """
        held = Reservation(tokens, cost_usd, model_calls, tool_calls)
        chain = list(self._chain())
        for meter in chain:
            meter._check(held)
        for meter in chain:
            meter._hold(held, 1)
        try:
            yield held
        finally:
            for meter in chain:
                meter._hold(held, -1)
                if held.settled is not None:
                    meter.spent = meter.spent + held.settled

    def tokens_left(self) -> int | None:
        """How many tokens may still be reserved, here and above; `None` for no limit."""
        limits = [
            meter.budget.tokens - meter.spent.total_tokens - meter._held.tokens
            for meter in self._chain()
            if meter.budget.tokens is not None
        ]
        return max(0, min(limits)) if limits else None

    def _chain(self) -> Iterator[Meter]:
        meter: Meter | None = self
        while meter is not None:
            yield meter
            meter = meter.parent

    def _check(self, want: Reservation) -> None:
        held, spent, budget = self._held, self.spent, self.budget
        for name, limit, used in (
            ("model_calls", budget.model_calls, spent.model_calls + held.model_calls + want.model_calls),
            ("tool_calls", budget.tool_calls, spent.tool_calls + held.tool_calls + want.tool_calls),
            ("tokens", budget.tokens, spent.total_tokens + held.tokens + want.tokens),
            ("cost_usd", budget.cost_usd, (spent.cost_usd or 0.0) + held.cost_usd + want.cost_usd),
        ):
            if limit is not None and used > limit and getattr(want, name):
                raise RunStopped(
                    "budget",
                    f"the next call could take {name} to {used:g}, above the budget of {limit:g}",
                    way_out=f"Run again with Budget({name}=…) above that, or ask for less.",
                )
        if budget.cost_usd is not None and want.model_calls and (spent.cost_usd or 0.0) >= budget.cost_usd:
            raise RunStopped(
                "budget",
                f"the budget of cost_usd={budget.cost_usd:g} is spent",
                way_out="Run again with Budget(cost_usd=…) above that, or ask for less.",
            )

    def _hold(self, held: Reservation, sign: int) -> None:
        self._held.tokens += sign * held.tokens
        self._held.cost_usd += sign * held.cost_usd
        self._held.model_calls += sign * held.model_calls
        self._held.tool_calls += sign * held.tool_calls
