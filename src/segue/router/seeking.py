"""Who is asked next for one request: the deployments of its steps, their breakers, their limits, and the line.

In: the steps of a request. Out: one try after the other, each placed and counted at its deployment, until nobody is
left. A deployment is asked while its breaker lets it and its limits allow it; else those of the later steps are, at
once. Where none can be asked now, the request waits for the first whose limit ends, in the order of coming; a
deployment whose breaker is open is asked all the same when nothing else is left. Who failed in a way that may pass is
asked once more at the end, within the retry budget of the router.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

from segue.router.deployment import Deployment
from segue.router.limits import Limits
from segue.router.line import Ticket
from segue.router.placing.host import Asked
from segue.router.steps import Go, Standing, Step

_BACKOFF_S = 0.05
_LOOKS_S = 1.0
"""How often one that waits looks whether another deployment has become free."""


class Seeking:
    """Finds who is asked next."""

    __slots__ = (
        "_again", "_asked", "_deadline", "_longer_than", "_run", "_standing", "_steps", "_tenant", "_ticket", "_tokens",
        "_tried", "_until", "spent", "waited_s", "wanting_s",
    )  # fmt: skip

    def __init__(
        self, steps: Sequence[Step], asked: Asked, standing: Standing, *, deadline: float | None, tenant: str, run: str
    ) -> None:
        """`deadline` is a reading of `time.monotonic()`; `tenant` and `run` are whose turn it is in the line."""
        self._steps = steps
        self._asked = asked
        self._standing = standing
        self._deadline = deadline
        self._tenant = tenant
        self._run = run
        self._tokens = asked.input_tokens + asked.output_tokens
        self._until = time.monotonic() + standing.wait_s
        self._ticket: Ticket | None = None
        self._longer_than = 0
        self._again: dict[str, float] = {}
        self._tried: set[str] = set()
        self.waited_s = 0.0
        """How long it waited for limits."""
        self.wanting_s = 0.0
        """How much longer it would have to wait for a limit; 0 where it is not for a limit that nobody is left."""
        self.spent = False
        """Whether somebody would have been asked once more, had the retry budget not been used up."""

    async def next(self) -> Go | None:
        """Who is asked next; `None` where nobody is left."""
        found = None
        try:
            found = await self._next()
        finally:
            if self._ticket is not None:
                self._standing.line.leave(self._ticket, served=found is not None)
                self._ticket = None
        return found

    def beside(self, now: float) -> Go | None:
        """One that can be asked at once, beside the one that is asked already."""
        standing = self._standing
        for step in self._steps:
            free = [
                each
                for each in step.deployments
                if each.streams
                and each.name not in self._tried
                and standing.fleet.breaker(each.name).state(now) == "closed"
                and (held := standing.limits.get(each.name)) is not None
                and held.wait_s(self._tokens, now) <= 0
                and standing.line.lets(None, each.name)
            ]
            if free:
                return self._placed(step, free, now)
        return None

    def patience_s(self, now: float) -> float:
        """How long it may wait for a limit from now on."""
        left = self._until - now
        return left if self._deadline is None else min(left, self._deadline - now)

    def when_allowed(self, name: str) -> None:
        """Let it be asked again as soon as its limits allow it."""
        self._tried.discard(name)

    def once_more(self, name: str) -> None:
        """Let it be asked once more, after all the others."""
        self._again[name] = self._standing.randomness.random() * _BACKOFF_S

    def only_longer(self, deployment: Deployment) -> bool:
        """From now on only those with a longer context than this one has; false where there are none."""
        self._longer_than = max(self._longer_than, deployment.context_tokens or 1)
        return any(
            self._is_longer(each) for step in self._steps for each in step.deployments if each.name not in self._tried
        )

    async def _next(self) -> Go | None:
        standing, tried = self._standing, self._tried
        line, breakers, limits = standing.line, standing.fleet.breakers, standing.limits
        while True:
            now = time.monotonic()
            waits: list[float] = []
            limited: list[str] = []
            broken: list[tuple[Step, list[Deployment]]] = []
            lined = line.waiting
            for step in self._steps:
                free, open_ = list[Deployment](), list[Deployment]()
                for each in step.deployments:
                    name = each.name
                    if name in tried or (self._longer_than and not self._is_longer(each)):
                        continue
                    breaker = breakers.get(name)
                    if breaker is not None and breaker.until is not None and not breaker.allows(now):
                        open_.append(each)
                        continue
                    held = limits.get(name)
                    wait = 0.0 if held is None or held.open else held.wait_s(self._tokens, now)
                    if wait <= 0 and (not lined or line.lets(self._ticket, name)):
                        free.append(each)
                    else:
                        waits.append(wait or _LOOKS_S)
                        limited.append(name)
                if free:
                    return self._placed(step, free, now)
                if open_:
                    broken.append((step, open_))
            if waits and min(waits) <= self.patience_s(now):
                names = [*limited, *(each.name for _, held in broken for each in held)]
                await self._wait(names, min([*waits, _LOOKS_S]))
            elif broken:
                return self._placed(*broken[0], now)
            elif not await self._may_ask_again():
                self.wanting_s = min(waits, default=0.0)
                return None

    async def _wait(self, names: Sequence[str], wait_s: float) -> None:
        """Stand in line until it may be this one's turn, at most so long."""
        if self._ticket is None:
            self._ticket = self._standing.line.join(names, self._tenant, self._run)
        began = time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._ticket.turn.wait()
        self._ticket.turn.clear()
        self.waited_s += time.monotonic() - began

    def _placed(self, step: Step, among: Sequence[Deployment], now: float) -> Go:
        fleet, asked = self._standing.fleet, self._asked
        known = fleet.hosts
        hosts = [known.get(each.name) or fleet.host(each.name) for each in among]
        pick = step.policy.choose(asked, hosts, now)
        deployment = among[hosts.index(pick.host)]
        name = deployment.name
        self._tried.add(name)
        limits = self._standing.limits.get(name) or Limits()  # it may have left its fleet
        return Go(step, deployment, fleet.begin(asked, pick, now), limits, limits.take(self._tokens, now))

    def _is_longer(self, deployment: Deployment) -> bool:
        return (deployment.context_tokens or 0) > self._longer_than

    async def _may_ask_again(self) -> bool:
        """Let those be tried again that may have recovered; false where there are none."""
        if not self._again:
            return False
        wait_s = min(self._again.values())
        if self._deadline is not None and time.monotonic() + wait_s >= self._deadline:
            return False
        if not self._standing.retries.allow(time.monotonic()):
            self.spent = True
            return False
        self._tried.difference_update(self._again)
        self._again = {}
        await asyncio.sleep(wait_s)
        return True
