"""Budgets: what a run may spend at most, and the meters that keep it.

In: a budget, and what each call may come to at worst. Out: a reservation, held at the run's meter and at each meter
below it that the call belongs to, until the call says what it really took. So workers side by side never spend
together what each alone would have been allowed. How large a generation's worst case is, and how little is left
before a model is told, is decided in `segue.graphs.allowance`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from segue.base.errors import BadInput, RunStopped
from segue.base.usage import Usage

COUNTED = ("model_calls", "tool_calls", "tokens", "cost_usd")
"""The limits that are counted, in the order in which they are looked at; `wall_s` is a deadline."""
_HAIR = 1e-9
"""Dollars below this are rounding of sums, not spending."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The most that a run, an agent or a team may spend. `None` is no limit."""

    cost_usd: float | None = None
    """US dollars over all generations. A generation of unknown price counts as 0 here; its tokens still count."""
    tokens: int | None = None
    """Input and output tokens over all generations."""
    model_calls: int | None = None
    tool_calls: int | None = None
    wall_s: float | None = None
    """Seconds from the start of the run (of the task, for a worker's own budget), or of the resume, to its end."""

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


class Reservation:
    """What is held for one call until it is settled; inside `with`, else given back whole."""

    __slots__ = ("_chain", "amounts", "settled")

    def __init__(self, chain: Sequence[Meter], amounts: dict[str, float]) -> None:
        self._chain = chain
        self.amounts = amounts
        self.settled: Usage | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.settled is None:
            self.settled = Usage()
            self._release(None)

    def settle(self, usage: Usage) -> None:
        """Say what the call really took: from here on that much is spent, and nothing is held. Once only."""
        if self.settled is None:
            self.settled = usage
            self._release(usage)

    def _release(self, usage: Usage | None) -> None:
        root = self._chain[-1]
        with root.lock:
            for meter in self._chain:
                meter.release(self.amounts, usage)
        if root.waited_for:
            root.wake()
        if usage is not None and root.on_spent is not None:
            root.on_spent(root.spending())


class Left(NamedTuple):
    """What one limit still allows."""

    kind: str
    """`tokens`, `cost_usd`, `model_calls` or `tool_calls`."""
    limit: float
    left: float
    """Neither spent nor held; may be below 0, where a model took more than it was allowed."""
    unspent: float
    """Not spent, though some of it may be held."""
    name: str
    """Whose budget it is; empty for the run's."""


class Meter:
    """Counts what was spent and what is reserved, against a budget, within the meter above.

    Args:
        budget: The limits; `None` is none of its own.
        parent: The meter above, which counts everything that this one counts.
        spent: What had been spent before, such as in an earlier segment of the run.
        known_cost_usd: Of that, the dollars that are known; `None` takes them from `spent`.
        name: Whose budget it is; empty for the run's.
        keep: By limit, what reservations made here must leave over at every meter above: the answer's share.
        deadline: Of this meter alone, on the services' monotonic clock.
        on_spent: Called with `spending()` after each settling; read at the topmost meter only.
    """

    def __init__(
        self,
        budget: Budget | None = None,
        *,
        parent: Meter | None = None,
        spent: Usage | None = None,
        known_cost_usd: float | None = None,
        name: str = "",
        keep: Mapping[str, float] | None = None,
        deadline: float | None = None,
        on_spent: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.budget = budget or Budget()
        self._limits = self.budget.to_dict()
        self.parent = parent
        self._chain: tuple[Meter, ...] = (self,) if parent is None else (self, *parent._chain)
        self.name = name
        self.keep = dict(keep or {})
        self.deadline = deadline
        self.on_spent = on_spent
        self.spent = spent or Usage()
        self.known_cost_usd = (self.spent.cost_usd or 0.0) if known_cost_usd is None else known_cost_usd
        self.lock: threading.Lock = parent.lock if parent is not None else threading.Lock()
        self._held: dict[str, float] = dict.fromkeys(COUNTED, 0)
        self._waiting: list[asyncio.Future[None]] = []
        self._said: set[str] = set()

    @classmethod
    def resumed(cls, budget: Budget | None, spending: Mapping[str, Any], **options: Any) -> Meter:
        """A meter that goes on from what `spending()` said in an earlier segment."""
        known = spending.get("known_cost_usd")
        return cls(budget, spent=Usage.from_dict(dict(spending)), known_cost_usd=known, **options)

    def spending(self) -> dict[str, Any]:
        """What was spent so far, as plain data: a `Usage`, and the dollars that are known."""
        return {**self.spent.to_dict(), "known_cost_usd": self.known_cost_usd}

    def restore(self, spending: Mapping[str, Any] | None) -> None:
        """Go on from what this meter's `spending()` was before a stop, where it has counted nothing since."""
        if spending and not self.spent.model_calls and not self.spent.tool_calls:
            self.spent = Usage.from_dict(dict(spending))
            self.known_cost_usd = spending.get("known_cost_usd", self.spent.cost_usd or 0.0)

    def reserve(
        self, *, tokens: int = 0, cost_usd: float = 0.0, model_calls: int = 0, tool_calls: int = 0
    ) -> Reservation:
        """Hold a call's worst case while it runs, inside `with`; settle it there with what it took.

        What is never settled is given back whole: say what a call that failed may have cost before leaving.

        Raises:
            RunStopped: A budget, here or above, does not allow it; `owner` says whose. Nothing is held then.
        """
        amounts = {"model_calls": model_calls, "tool_calls": tool_calls, "tokens": tokens, "cost_usd": cost_usd}
        with self.lock:
            self._check(amounts)
            for meter in self._chain:
                meter.hold(amounts)
        return Reservation(self._chain, amounts)

    def bounds(self) -> set[str]:
        """The limits that are set, here or above."""
        if self.parent is None:
            return set(self._limits)
        return {name for meter in self._chain for name in meter._limits}

    def left(self, name: str) -> list[Left]:
        """What each budget that limits it still allows, this one's first; reserved is not left."""
        if self.parent is None:
            of = self._limits.get(name)
            if of is None:
                return []
            unspent = of - self.taken(name)
            return [Left(name, of, unspent - self._held[name], unspent, self.name)]
        out: list[Left] = []
        keep, keeper = 0.0, ""
        for meter in self._chain:
            limit = meter._limits.get(name)
            if limit is not None:
                rest, owner = limit - keep, keeper if keep else meter.name
                out.append(Left(name, rest, rest - meter.used(name), rest - meter.taken(name), owner))
            if own := meter.keep.get(name):
                keep, keeper = keep + own, keeper or meter.name
        return out

    def least(self, name: str) -> float | None:
        """The least that any budget still allows, never below 0; `None` for no limit."""
        if self.parent is None:
            limit = self._limits.get(name)
            return None if limit is None else max(0, limit - self.used(name))
        found = self.left(name)
        return max(0, min(each.left for each in found)) if found else None

    def tokens_left(self) -> int | None:
        """How many tokens may still be reserved, here and above; `None` for no limit."""
        least = self.least("tokens")
        return None if least is None else int(least)

    def late(self, now: float) -> str | None:
        """Whose deadline has passed at `now`: the topmost one's name; `None` where none of these has."""
        passed = [meter.name for meter in self._chain if meter.deadline is not None and meter.deadline <= now]
        return passed[-1] if passed else None

    def over(self) -> list[str]:
        """The limits, here or above, that were overrun: a model took more than it was allowed."""
        found: set[str] = set()
        for meter in self._chain:
            for name, limit in meter._limits.items():
                if name != "wall_s" and meter.taken(name) > limit + _HAIR:
                    found.add(name)
        return sorted(found) if found else []

    def once(self, what: str) -> bool:
        """Whether this is the first time that this is asked under the same topmost meter: for what is said once."""
        said = self.top()._said
        new = what not in said
        said.add(what)
        return new

    def held_by_others(self) -> bool:
        """Whether something is reserved at a limited meter of this chain, so that waiting may free some of it."""
        return any(
            meter._held[name] > 0 for meter in self._chain for name in ("tokens", "cost_usd") if name in meter._limits
        )

    async def freed(self) -> None:
        """Wait until any reservation under the same topmost meter is settled."""
        top = self.top()
        waiting = asyncio.get_running_loop().create_future()
        top._waiting.append(waiting)
        try:
            await waiting
        finally:
            if waiting in top._waiting:
                top._waiting.remove(waiting)

    @property
    def waited_for(self) -> bool:
        """Whether somebody waits for something to be settled."""
        return bool(self._waiting)

    def chain(self) -> Sequence[Meter]:
        """This meter, the one above it, and so on to the run's."""
        return self._chain

    def top(self) -> Meter:
        """The topmost meter: the run's."""
        return self._chain[-1]

    def taken(self, name: str) -> float:
        """What was spent of one limit here."""
        if name == "cost_usd":
            return self.known_cost_usd
        return self.spent.total_tokens if name == "tokens" else int(getattr(self.spent, name))

    def used(self, name: str) -> float:
        """What was spent and what is held of one limit here."""
        return self.taken(name) + self._held[name]

    def hold(self, amounts: Mapping[str, float]) -> None:
        """Count it as held. Under the lock."""
        held = self._held
        for name, amount in amounts.items():
            if amount:
                held[name] += amount

    def release(self, amounts: Mapping[str, float], usage: Usage | None) -> None:
        """Hold it no longer, and count what was spent. Under the lock."""
        held = self._held
        for name, amount in amounts.items():
            if amount:
                held[name] -= amount
        if held["cost_usd"] and abs(held["cost_usd"]) < _HAIR:
            held["cost_usd"] = 0.0
        if usage is not None:
            self.spent = self.spent + usage
            self.known_cost_usd += usage.cost_usd or 0.0

    def wake(self) -> None:
        """Tell those who wait that something was settled."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.get_loop().call_soon_threadsafe(_let_go, each)

    def _check(self, want: Mapping[str, float]) -> None:
        for name in COUNTED:
            if not want[name] and (name != "cost_usd" or not want["model_calls"]):
                continue
            if self.parent is None:
                limit = self._limits.get(name)
                if limit is None or 0 < want[name] <= limit - self.taken(name) - self._held[name]:
                    continue
            for each in self.left(name):
                spent_up = name == "cost_usd" and want["model_calls"] > 0 and each.left <= 0
                if spent_up or (want[name] and want[name] > each.left + _HAIR):
                    raise over_budget(want[name], each)


def _let_go(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def over_budget(want: float, found: Left, message: str = "") -> RunStopped:
    """What is raised where a budget does not allow a call, or ended in the middle of one, as `message` says."""
    name, whose = found.kind, f" of {found.name}" if found.name else ""
    limit, total = (f"{each:.15g}" for each in (found.limit, found.limit - found.left + want))
    if message:
        message = f"{message}, where the budget of {name}={limit}{whose} ends"
    elif want:
        message = f"the next call could take {name} to {total}, above the budget of {limit}{whose}."
    else:
        message = f"the budget of {name}={limit}{whose} is spent"
    way_out = f"Run again with Budget({name}=…) above that, or ask for less."
    if found.name:
        way_out = f"Give {found.name} a Budget({name}=…) above that, or ask it for less."
    return RunStopped("budget", message, way_out=way_out, owner=found.name)
