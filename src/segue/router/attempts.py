"""One request, deployment after deployment, until one answers.

In: a request, and the steps to try it on: who may answer, chosen by which policy. Out: the reply of the first one that
gives a whole answer, with the list of what was tried. What was shown of a broken answer is taken back by a `Reset`;
tool calls of a broken answer are never seen by anybody.

A deployment is asked while its breaker lets it and its limits allow it; else those of the later steps are, at once.
Where none can be asked now, the request waits for the first whose limit ends, in the order of coming; a deployment
whose breaker is open is asked all the same when nothing else is left. Who failed in a way that may pass is asked once
more at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

from segue.base.errors import EndpointError
from segue.router.deployment import Deployment
from segue.router.errors import AttemptError, ContextOverflow, DeadlinePassed, NoDeploymentLeft, RateLimited
from segue.router.limits import Limits
from segue.router.line import Ticket
from segue.router.placing.fleet import Placement
from segue.router.placing.host import Asked
from segue.router.steps import Go, Standing, Step
from segue.router.types import Attempt, Delta, OnDelta, Reply, Reset

MAX_WAIT_S = 10.0
"""The longest that a server's own `Retry-After` is waited for when no other deployment is left."""
HEDGE_LATE = 4.0
"""A first token counts as late when it takes that much longer than foreseen."""
HEDGE_LEAST_S = 1.0
_BACKOFF_S = 0.05
_LOOKS_S = 1.0
"""How often one that waits looks whether another deployment has become free."""
_OUTCOMES = {"unreachable": "unreachable", "broken_stream": "reset"}
_NO_FAULT = frozenset({"rate_limited", "refused", "bad_request", "context_overflow", "deadline"})
"""Outcomes that say nothing of whether a deployment is well."""
_NOTHING_TAKEN = frozenset({"unreachable", "rate_limited", "refused", "bad_request", "context_overflow"})
"""Outcomes after which a server counts no tokens."""


class Attempts:
    """What was tried for one request."""

    def __init__(
        self,
        route: str,
        asked: Asked,
        standing: Standing,
        *,
        on_delta: OnDelta | None,
        deadline: float | None,
        tenant: str = "",
        run: str = "",
    ) -> None:
        self._route = route
        self._asked = asked
        self._tokens = asked.input_tokens + asked.output_tokens
        self._fleet = standing.fleet
        self._limits = standing.limits
        self._randomness = standing.randomness
        self._line = standing.line
        self._tenant = tenant
        self._run = run
        self._ticket: Ticket | None = None
        self._ticket_served = False
        self._hedges = standing.hedges
        self._race: dict[Placement, asyncio.Task[Reply]] = {}
        self._until = time.monotonic() + standing.wait_s
        self._on_delta = on_delta
        self._deadline = deadline
        self._shown = False
        self._longer_than = 0
        self._again: dict[str, float] = {}
        self._tried: set[str] = set()
        self.made: list[Attempt] = []
        self.errors: list[AttemptError] = []
        self.waited_s = 0.0
        """How long it waited for limits."""
        self.why = ""
        """The end of the sentence that says why the one that answered was asked."""

    async def run(self, steps: Sequence[Step]) -> tuple[Deployment, Reply]:
        """Try them in order, then those once more that may have recovered.

        Raises:
            NoDeploymentLeft: None of them answered.
            AttemptError: The request would fail anywhere, or the caller's deadline has passed.
        """
        while True:
            found = await self._next(steps)
            if found is None:
                cause = self.errors[-1] if self.errors else None
                raise NoDeploymentLeft(self._route, self.made, self.errors) from cause
            try:
                if found.step.hedge and found.deployment.streams:
                    found, reply = await self._raced(found, steps)
                else:
                    reply = await self._try(found)
            except AttemptError as error:
                self._note(error)
                if not error.elsewhere:
                    raise
                if isinstance(error, ContextOverflow):
                    self._longer(steps, found.deployment, error)
                continue
            fallback = found.step.fallback
            self.why = f"of the fallback route {fallback!r}" if fallback else found.placement.pick.why
            return found.deployment, reply

    async def _raced(self, first: Go, steps: Sequence[Step]) -> tuple[Go, Reply]:
        """Ask a second one, too, when the first token is late; who gives one first answers, the other is given up."""
        self._hedges.requests += 1
        late_s = max(HEDGE_LEAST_S, HEDGE_LATE * first.placement.pick.first_token_s)
        tasks = {asyncio.create_task(self._try(first)): first}
        self._race = {each.placement: task for task, each in tasks.items()}
        try:
            done, _ = await asyncio.wait(tasks, timeout=late_s)
            if not done and first.placement.placed.first_at is None and self._hedges.allow(first.step.hedge):
                second = self._free(steps, time.monotonic())
                if second is not None:
                    self._hedges.made += 1
                    task = asyncio.create_task(self._try(second))
                    tasks[task] = second
                    self._race[second.placement] = task
            return await self._winner(first, tasks)
        finally:
            self._race = {}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _winner(self, first: Go, tasks: dict[asyncio.Task[Reply], Go]) -> tuple[Go, Reply]:
        left = dict(tasks)
        while True:
            done, _ = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                go = left.pop(task)
                error = None if task.cancelled() else task.exception()
                if not task.cancelled() and error is None:
                    self._hedges.won += go is not first
                    return go, task.result()
                if error is not None and not left:
                    raise error
                if isinstance(error, AttemptError):
                    self._note(error)

    def _free(self, steps: Sequence[Step], now: float) -> Go | None:
        """One that can be asked at once, beside the one that is asked already."""
        for step in steps:
            free = [
                each
                for each in step.deployments
                if each.streams
                and each.name not in self._tried
                and self._fleet.breaker(each.name).state(now) == "closed"
                and self._limits[each.name].wait_s(self._tokens, now) <= 0
                and self._line.lets(None, each.name)
            ]
            if free:
                return self._placed(step, free, now)
        return None

    async def _next(self, steps: Sequence[Step]) -> Go | None:
        """Who is asked next; `None` where nobody is left."""
        try:
            return await self._found(steps)
        finally:
            if self._ticket is not None:
                self._line.leave(self._ticket, served=self._ticket_served)
                self._ticket, self._ticket_served = None, False

    async def _found(self, steps: Sequence[Step]) -> Go | None:
        while True:
            now = time.monotonic()
            waits: list[float] = []
            limited: list[str] = []
            broken: list[tuple[Step, list[Deployment]]] = []
            for step in steps:
                free, open_ = list[Deployment](), list[Deployment]()
                for each in step.deployments:
                    name = each.name
                    if name in self._tried or (self._longer_than and not self._is_longer(each)):
                        continue
                    if not self._fleet.breaker(name).allows(now):
                        open_.append(each)
                        continue
                    wait = self._limits[name].wait_s(self._tokens, now)
                    if wait <= 0 and self._line.lets(self._ticket, name):
                        free.append(each)
                    else:
                        waits.append(wait or _LOOKS_S)
                        limited.append(name)
                if free:
                    return self._placed(step, free, now)
                if open_:
                    broken.append((step, open_))
            patience = self._patience_s(now)
            if waits and min(waits) <= patience:
                await self._wait(
                    [*limited, *(each.name for _, held in broken for each in held)], min([*waits, _LOOKS_S])
                )
            elif broken:
                return self._placed(*broken[0], now)
            elif not await self._once_more():
                if waits and not self.errors:
                    self._say_limited(steps, min(waits))
                return None

    async def _wait(self, names: Sequence[str], wait_s: float) -> None:
        """Stand in line until it may be this one's turn, at most so long."""
        if self._ticket is None:
            self._ticket = self._line.join(names, self._tenant, self._run)
        began = time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._ticket.turn.wait()
        self._ticket.turn.clear()
        self.waited_s += time.monotonic() - began

    def _placed(self, step: Step, among: Sequence[Deployment], now: float) -> Go:
        hosts = [self._fleet.host(each.name) for each in among]
        placement = self._fleet.begin(self._asked, step.policy.choose(self._asked, hosts, now), now)
        self._tried.add(placement.name)
        self._ticket_served = True
        deployment = next(each for each in among if each.name == placement.name)
        return Go(step, deployment, placement, self._limits[placement.name].take(self._tokens, now))

    def _is_longer(self, deployment: Deployment) -> bool:
        return (deployment.context_tokens or 0) > self._longer_than

    async def _once_more(self) -> bool:
        """Let those be tried again that may have recovered; false where there are none."""
        if not self._again:
            return False
        wait_s = min(self._again.values())
        self._tried -= self._again.keys()
        self._again = {}
        if self._deadline is not None and time.monotonic() + wait_s >= self._deadline:
            return False
        await asyncio.sleep(wait_s)
        return True

    def _patience_s(self, now: float) -> float:
        left = self._until - now
        return left if self._deadline is None else min(left, self._deadline - now)

    async def _try(self, go: Go) -> Reply:
        start = time.monotonic()
        deployment, placement, limits = go.deployment, go.placement, self._limits[go.deployment.name]
        ended, took = False, None
        try:
            if self._deadline is not None and start >= self._deadline:
                raise DeadlinePassed(deployment.name, "was not asked: the caller's deadline had passed")
            reply = await deployment.generate(go.step.request, on_delta=self._show(go), deadline=self._deadline)
            ended, took = True, reply.usage.input_tokens + reply.usage.output_tokens
        except AttemptError as error:
            ended = True
            took = 0 if error.outcome in _NOTHING_TAKEN else None
            self._failed(deployment, placement, error, limits)
            self._record(deployment, error.outcome, start, error.message)
            raise
        except EndpointError as error:
            ended = True
            self._fleet.failed(placement, "failed", time.monotonic())
            self._record(deployment, "failed", start, error.message)
            raise AttemptError(deployment.name, "failed", detail=error.message, way_out=error.way_out) from error
        finally:
            if not ended:
                self._fleet.left(placement)
            limits.end(go.taken, time.monotonic(), took)
            self._line.wake(deployment.name)
        usage = reply.usage
        limits.slots.went_well(time.monotonic())
        if reply.headers:
            limits.told(reply.headers, time.monotonic())
        self._fleet.went_well(
            placement, time.monotonic(), output_tokens=usage.output_tokens,
            cached_tokens=usage.cached_tokens or None,
        )  # fmt: skip
        self._record(deployment, "ok", start)
        return reply

    def _failed(self, deployment: Deployment, placement: Placement, error: AttemptError, limits: Limits) -> None:
        now = time.monotonic()
        if error.outcome in _NO_FAULT:
            self._fleet.left(placement)
        else:
            self._fleet.failed(placement, _OUTCOMES.get(error.outcome, error.outcome), now)
        if isinstance(error, RateLimited):
            wait_s = limits.over(error.retry_after_s, now)
            if wait_s <= min(MAX_WAIT_S, self._patience_s(now)):
                self._tried.discard(deployment.name)  # it is asked again when its limit allows it
        elif error.again and not any(each.deployment == deployment.name for each in self.made):
            self._again[deployment.name] = self._randomness.random() * _BACKOFF_S

    def _record(self, deployment: Deployment, outcome: str, start: float, error: str = "") -> None:
        duration_s = time.monotonic() - start
        self.made.append(Attempt(deployment=deployment.name, outcome=outcome, error=error, duration_s=duration_s))

    def _show(self, go: Go) -> OnDelta | None:
        """What the deployment tells its pieces to."""
        told, placement = self._on_delta, go.placement
        if told is None and not go.deployment.streams:
            return None

        def show(delta: Delta) -> None:
            if placement.placed.first_at is None:
                now = time.monotonic()
                self._fleet.first_token(placement, now)
                self._limits[placement.name].arrived(go.taken, now)
                if self._race:
                    self._wins(placement)
            if told is not None and (not self._race or placement in self._race):
                self._shown = not isinstance(delta, Reset)
                told(delta)

        return show

    def _wins(self, placement: Placement) -> None:
        """It gave the first token: the other one is given up."""
        if placement not in self._race:
            return
        for other, task in list(self._race.items()):
            if other is not placement:
                del self._race[other]
                task.cancel()

    def _note(self, error: AttemptError) -> None:
        self.errors.append(error)
        if self._shown and self._on_delta is not None:
            self._shown = False
            self._on_delta(Reset(error.message))

    def _longer(self, steps: Sequence[Step], deployment: Deployment, error: ContextOverflow) -> None:
        """From now on only those with a longer context; the error itself where there are none."""
        self._longer_than = max(self._longer_than, deployment.context_tokens or 1)
        left = [each for step in steps for each in step.deployments if each.name not in self._tried]
        if not any(map(self._is_longer, left)):
            raise error

    def _say_limited(self, steps: Sequence[Step], wait_s: float) -> None:
        for step in steps:
            for each in step.deployments:
                what = f"is over its limit for {wait_s:.3g} s more, longer than the request may wait"
                self.errors.append(RateLimited(each.name, what, retry_after_s=wait_s, status=None))
