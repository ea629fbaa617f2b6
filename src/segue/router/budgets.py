"""Budgets of tenants, users and deployments by the hour, day or month: what may be spent, and what was.

In: the budgets of the settings, and a request with what it may come to at each deployment. Out: those deployments that
it may go to, with their worst case held until the true cost is known; or `BudgetSpent`, which names the budget and when
it begins anew. Within a process a budget is exact; between processes, which share a `SpentStore`, it may be overrun by
what the others spend in the second between two looks. The budget of a run is another matter: `segue.base.budget`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Protocol

from segue.base.usage import Usage
from segue.router.attempts import NOTHING_TAKEN
from segue.router.deployment import Deployment
from segue.router.errors import BudgetSpent
from segue.router.placing.host import NO_PRICE, Rates
from segue.router.settings import SpendingSettings
from segue.router.steps import Step
from segue.router.types import Attempt, GenerationRequest

LOOKS_S = 1.0
"""How often it is looked what other processes have spent."""

Account = tuple[str, str, str]
"""A budget's name, whose it is, and the period, such as `2026-11-27`."""


class SpentStore(Protocol):
    """Keeps what was spent, for all processes."""

    async def read(self, accounts: Sequence[Account]) -> Mapping[Account, tuple[float, int]]:
        """Dollars and tokens of each; those that nothing was spent on may be missing."""

    async def add(self, spent: Mapping[Account, tuple[float, int]]) -> None:
        """Add to each, all or none."""


@dataclass
class _Spent:
    """What was spent on one account, as this process knows it."""

    usd: float = 0.0
    tokens: int = 0
    held_usd: float = 0.0
    held_tokens: int = 0
    new_usd: float = 0.0
    """Of `usd`, what the store does not know yet."""
    new_tokens: int = 0

    def add(self, usd: float, tokens: int) -> None:
        self.usd += usd
        self.new_usd += usd
        self.tokens += tokens
        self.new_tokens += tokens


@dataclass
class Held:
    """What one request holds."""

    accounts: dict[Account, tuple[float, int]]
    """Dollars and tokens of each account."""
    input_tokens: int
    rates: dict[str, Rates] = field(default_factory=dict)
    """Of the deployments that it may go to."""


@dataclass
class Budgets:
    """The budgets of a router."""

    settings: Mapping[str, SpendingSettings]
    store: SpentStore | None = None
    now: Callable[[], float] = time.time
    _spent: dict[Account, _Spent] = field(default_factory=dict)
    _looked_at: dict[Account, float] = field(default_factory=dict)
    _writing: asyncio.Task[None] | None = None

    def __bool__(self) -> bool:
        return bool(self.settings)

    async def within(
        self, route: str, request: GenerationRequest, steps: Sequence[Step], *, input_tokens: int, longest: int
    ) -> tuple[list[Step], Held]:
        """The steps without those that a budget has no room for; the worst case of the rest is held until `settle`.

        `longest` is how long an answer may be where the request does not say.

        Raises:
            BudgetSpent: Nobody is left.
        """
        when = datetime.fromtimestamp(self.now(), UTC)
        mine = [
            (budget, (name, whose, budget.period(when)))
            for name, budget in self.settings.items()
            if (whose := _whose(budget, request)) is not None
        ]
        await self._look([account for _, account in mine])
        held = Held({}, input_tokens)
        refused: dict[str, tuple[SpendingSettings, Account]] = {}
        left: list[Step] = []
        for step in steps:
            output = step.request.max_output_tokens or longest
            free = []
            for each in step.deployments:
                ours = [(budget, account) for budget, account in mine if budget.concerns(each.name)]
                usd, tokens = worst_usd(each, input_tokens, output), input_tokens + output
                full = next((one for one in ours if not self._has_room(*one, usd, tokens)), None)
                if full is not None:
                    refused[each.name] = full
                    continue
                free.append(each)
                held.rates[each.name] = each.rates() or NO_PRICE
                for _, account in ours:
                    most = held.accounts.get(account, (0.0, 0))
                    held.accounts[account] = max(most[0], usd), max(most[1], tokens)
            if free:
                left.append(replace(step, deployments=free))
        if not left:
            raise self._spent_error(route, refused, when)
        for account, (usd, tokens) in held.accounts.items():
            spent = self._spent[account]
            spent.held_usd += usd
            spent.held_tokens += tokens
        return left, held

    def settle(self, held: Held, attempts: Sequence[Attempt], usage: Usage | None) -> None:
        """It has ended. Of what broke off the input counts: what came of it nobody knows."""
        bills = [
            (each.deployment, held.input_tokens * held.rates.get(each.deployment, NO_PRICE)[0], held.input_tokens)
            for each in attempts
            if each.outcome != "ok" and each.outcome not in NOTHING_TAKEN
        ]
        if usage is not None:
            bills.append((attempts[-1].deployment, usage.cost_usd or 0.0, usage.total_tokens))
        for account, (usd, tokens) in held.accounts.items():
            spent = self._spent[account]
            spent.held_usd -= usd
            spent.held_tokens -= tokens
            for name, cost, count in bills:
                if self.settings[account[0]].concerns(name):
                    spent.add(cost, count)
        if self.store is not None and bills and (self._writing is None or self._writing.done()):
            self._writing = asyncio.get_running_loop().create_task(self._write())

    def _has_room(self, budget: SpendingSettings, account: Account, usd: float, tokens: int) -> bool:
        spent = self._spent.setdefault(account, _Spent())
        if budget.usd is not None and usd > 0 and spent.usd + spent.held_usd + usd > budget.usd:
            return False
        return budget.tokens is None or spent.tokens + spent.held_tokens + tokens <= budget.tokens

    def _spent_error(
        self, route: str, refused: Mapping[str, tuple[SpendingSettings, Account]], when: datetime
    ) -> BudgetSpent:
        budget, account = next(iter(refused.values()))
        spent = self._spent[account]
        gone = f"{spent.tokens} of {budget.tokens} tokens"
        if budget.usd is not None:
            gone = f"${spent.usd:.4g} of ${budget.usd:.4g}" + (f" and {gone}" if budget.tokens is not None else "")
        return BudgetSpent(
            route, account[0], account[1], list(refused), gone=gone, period=account[2],
            retry_after_s=max(1.0, (budget.ends(when) - when) / timedelta(seconds=1)),
        )  # fmt: skip

    async def aclose(self) -> None:
        """Write down what was not yet written."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        await self._write()

    async def _look(self, accounts: Sequence[Account]) -> None:
        """See what other processes have spent; of what this one has not told yet nothing is lost."""
        at = time.monotonic()
        old = [each for each in accounts if at - self._looked_at.get(each, float("-inf")) > LOOKS_S]
        if self.store is None or not old:
            return
        found = await self.store.read(old)
        for account in old:
            usd, tokens = found.get(account, (0.0, 0))
            spent = self._spent.setdefault(account, _Spent())
            spent.usd, spent.tokens = usd + spent.new_usd, tokens + spent.new_tokens
            self._looked_at[account] = at
        self._forget({account[2] for account in accounts})

    def _forget(self, periods: set[str]) -> None:
        """Leave out accounts of periods that are over, when there are many."""
        if len(self._spent) < 10_000:
            return
        for account, spent in list(self._spent.items()):
            if account[2] not in periods and not spent.held_tokens and not spent.new_tokens:
                del self._spent[account]
                self._looked_at.pop(account, None)

    async def _write(self) -> None:
        while self.store is not None:
            new = {
                account: (spent.new_usd, spent.new_tokens)
                for account, spent in self._spent.items()
                if spent.new_tokens or spent.new_usd
            }
            if not new:
                return
            await self.store.add(new)
            for account, (usd, tokens) in new.items():
                self._spent[account].new_usd -= usd
                self._spent[account].new_tokens -= tokens


def worst_usd(deployment: Deployment, input_tokens: int, output_tokens: int) -> float:
    """What a request may cost there, nothing of it cached; 0 where no price is known."""
    rates = deployment.rates()
    if rates is None or rates is NO_PRICE:
        return 0.0
    return input_tokens * rates[0] + output_tokens * rates[2]


def _whose(budget: SpendingSettings, request: GenerationRequest) -> str | None:
    """Whose account of the budget a request goes on; `None` where the budget does not concern it."""
    wanted = ((request.tenant, budget.tenant), (request.user, budget.user))
    if not all(not pattern or fnmatchcase(who, pattern) for who, pattern in wanted):
        return None
    return "/".join(who for who, pattern in wanted if pattern)
