"""One request, deployment after deployment, until one answers.

In: a request, and the steps to try it on: who may answer, chosen by which policy. Out: the reply of the first one that
gives a whole answer, with the list of what was tried. What was shown of a broken answer is taken back by a `Reset`, or
goes on where it broke off where its route says so; tool calls of a broken answer are never seen by anybody. Who is
asked next is found by `seeking`; asking two at once is `racing`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import cast

from segue.base.errors import ConfigError, EndpointError, SegueError
from segue.router.continuing import Cut, going_on, joined
from segue.router.deployment import Deployment
from segue.router.errors import (
    AttemptError,
    ContextOverflow,
    DeadlinePassed,
    EndpointRefused,
    NoDeploymentLeft,
    RateLimited,
)
from segue.router.placing.host import Asked
from segue.router.racing import Race
from segue.router.seeking import Seeking
from segue.router.steps import Go, Standing, Step
from segue.router.types import GIVEN_UP, Attempt, Delta, OnDelta, Reply, Reset, TextDelta

MAX_WAIT_S = 10.0
"""The longest that a server's own `Retry-After` is waited for when no other deployment is left."""
_OUTCOMES = {"unreachable": "unreachable", "broken_stream": "reset"}
_REFUSED = RateLimited.outcome
"""Was told to come again: that was no try, and takes none of those that a deployment has."""
_NO_FAULT = frozenset({"rate_limited", "refused", "bad_request", "context_overflow", "deadline"})
"""Outcomes that say nothing of whether a deployment is well."""
NOTHING_TAKEN = frozenset({"unreachable", "rate_limited", "refused", "bad_request", "context_overflow"})
"""Outcomes after which a server counts no tokens."""


class Attempts:
    """What was tried for one request."""

    __slots__ = (
        "_cut", "_deadline", "_on_delta", "_race", "_route", "_seeking", "_shown", "_standing", "_start", "_steps",
        "_text", "errors", "made", "why",
    )  # fmt: skip

    def __init__(
        self,
        route: str,
        asked: Asked,
        steps: Sequence[Step],
        standing: Standing,
        *,
        on_delta: OnDelta | None,
        deadline: float | None,
        tenant: str = "",
        run: str = "",
    ) -> None:
        self._start = time.monotonic()
        self._route = route
        self._steps = steps
        self._standing = standing
        self._on_delta = on_delta
        self._deadline = deadline
        self._seeking = Seeking(steps, asked, standing, deadline=deadline, tenant=tenant, run=run)
        self._race: Race | None = None
        self._shown = False
        self._text: list[str] | None = None
        """What was shown of this answer, where it may be gone on with."""
        self._cut: Cut | None = None
        """The broken answer that is gone on with."""
        self.made: list[Attempt] = []
        self.errors: list[AttemptError] = []
        self.why = ""
        """The end of the sentence that says why the one that answered was asked."""

    @property
    def waited_s(self) -> float:
        """How long it waited for limits."""
        return self._seeking.waited_s

    async def run(self) -> tuple[Deployment, Reply]:
        """Try them in order, then those once more that may have recovered.

        Raises:
            NoDeploymentLeft: None of them answered.
            AttemptError: The request would fail anywhere, or the caller's deadline has passed.
        """
        while True:
            found = await self._seeking.next()
            if found is None:
                self._take_back()
                raise self._nobody_left()
            try:
                if found.step.hedge and found.deployment.streams and self._cut is None:
                    found, reply = await self._raced(found)
                else:
                    reply = await self._try(found)
            except AttemptError as error:
                self._note(error)
                if not error.elsewhere:
                    self._take_back()
                    raise
                if isinstance(error, ContextOverflow) and not self._seeking.only_longer(found.deployment):
                    raise
                continue
            fallback = found.step.fallback
            self.why = f"of the fallback route {fallback!r}" if fallback else found.placement.pick.why
            return found.deployment, reply

    async def _raced(self, first: Go) -> tuple[Go, Reply]:
        self._race = Race(self._standing.hedges, ask=self._try, beside=self._seeking.beside, lost=self._note)
        try:
            return await self._race.run(first)
        finally:
            self._race = None
            self.made.sort(key=lambda each: each.outcome == "ok")  # the one that answered is the last

    async def _try(self, go: Go) -> Reply:
        start = time.monotonic()
        fleet, deployment, placement = self._standing.fleet, go.deployment, go.placement
        limits = go.limits
        cut = self._goes_on(go)
        ended, took = False, None
        try:
            if self._deadline is not None and start >= self._deadline:
                raise DeadlinePassed(deployment.name, "was not asked: the caller's deadline had passed")
            request = go.step.request if cut is None else going_on(go.step.request, cut)
            reply = await deployment.generate(request, on_delta=self._show(go), deadline=self._deadline)
            ended, took = True, reply.usage.input_tokens + reply.usage.output_tokens
        except AttemptError as error:
            ended = True
            took = 0 if error.outcome in NOTHING_TAKEN else None
            self._failed(go, error)
            self._record(deployment, error.outcome, start, error.message)
            raise
        except ConfigError as error:  # such as a key that is not there: others may have theirs
            ended = True
            fleet.left(placement)
            self._record(deployment, "refused", start, error.message)
            raise EndpointRefused(deployment.name, "cannot be asked", detail=error.message) from error
        except EndpointError as error:
            ended = True
            fleet.failed(placement, "failed", time.monotonic())
            self._record(deployment, "failed", start, error.message)
            raise AttemptError(deployment.name, "failed", detail=error.message, way_out=error.way_out) from error
        finally:
            now = time.monotonic()
            if not ended:
                fleet.left(placement)
                self._record(deployment, GIVEN_UP, start, "")
            limits.end(go.taken, now, took)
            self._standing.line.wake(deployment.name)
        usage = reply.usage
        limits.slots.went_well(now)
        if reply.headers:
            limits.told(reply.headers, now)
        cached = usage.cached_tokens if reply.counts_cached or usage.cached_tokens else None
        fleet.went_well(placement, now, output_tokens=usage.output_tokens, cached_tokens=cached)
        self._record(deployment, "ok", start, "")
        return reply if cut is None else joined(cut, reply)

    def _failed(self, go: Go, error: AttemptError) -> None:
        name, standing, now = go.deployment.name, self._standing, time.monotonic()
        if error.outcome in _NO_FAULT:
            standing.fleet.left(go.placement)
        else:
            standing.fleet.failed(go.placement, _OUTCOMES.get(error.outcome, error.outcome), now)
        if isinstance(error, RateLimited):
            wait_s = go.limits.over(error.retry_after_s, now)
            if wait_s <= min(MAX_WAIT_S, self._seeking.patience_s(now)):
                self._seeking.when_allowed(name)
        elif error.again and not any(each.deployment == name and each.outcome != _REFUSED for each in self.made):
            self._seeking.once_more(name)

    def _record(self, deployment: Deployment, outcome: str, start: float, error: str) -> None:
        self.made.append(
            Attempt(
                deployment=deployment.name, outcome=outcome, began_s=start - self._start, error=error,
                duration_s=time.monotonic() - start,
            )
        )  # fmt: skip

    def _show(self, go: Go) -> OnDelta | None:
        """What the deployment tells its pieces to."""
        told, placement, standing = self._on_delta, go.placement, self._standing
        if told is None and not go.deployment.streams:
            return None
        if told is not None and go.step.continues and self._text is None:
            self._text = []

        def show(delta: Delta) -> None:
            if placement.placed.first_at is None:
                now = time.monotonic()
                standing.fleet.first_token(placement, now)
                go.limits.arrived(go.taken, now)
                if self._race is not None:
                    self._race.first_token(placement)
            if told is not None and (self._race is None or self._race.shows(placement)):
                self._shown = not isinstance(delta, Reset)
                if self._text is not None:
                    self._keep(delta)
                told(delta)

        return show

    def _keep(self, delta: Delta) -> None:
        """Keep what was shown as long as it is nothing but text."""
        assert self._text is not None
        if isinstance(delta, TextDelta):
            self._text.append(delta.text)
        elif isinstance(delta, Reset):
            self._text = []
        else:
            self._text = None

    def _goes_on(self, go: Go) -> Cut | None:
        """The broken answer, where this one can go on with it; else what was shown of it is void."""
        cut = self._cut
        if cut is not None and not (go.step.continues and go.deployment.continues):
            self._take_back()
            return None
        return cut

    def _note(self, error: AttemptError) -> None:
        self.errors.append(error)
        if not self._shown or self._on_delta is None:
            return
        if self._text and error.outcome == "broken_stream":
            self._cut = Cut("".join(self._text), error.message)
        else:
            self._reset(error.message)

    def _take_back(self) -> None:
        """Nobody goes on with what was shown."""
        if self._cut is not None:
            self._reset(self._cut.why)

    def _reset(self, why: str) -> None:
        self._shown, self._cut = False, None
        if self._text is not None:
            self._text = []
        if self._on_delta is not None:
            self._on_delta(Reset(why))

    def _nobody_left(self) -> SegueError:
        """What is raised then; where nobody could be asked since all are set up wrongly, what is wrong."""
        if self.errors and all(isinstance(each.__cause__, ConfigError) for each in self.errors):
            return cast(ConfigError, self.errors[0].__cause__)
        wait_s = self._seeking.wanting_s
        if wait_s and not self.errors:
            for step in self._steps:
                for each in step.deployments:
                    what = f"is over its limit for {wait_s:.3g} s more, longer than the request may wait"
                    self.errors.append(RateLimited(each.name, what, retry_after_s=wait_s, status=None))
        error = NoDeploymentLeft(self._route, self.made, self.errors, retries_spent=self._seeking.spent)
        error.__cause__ = self.errors[-1] if self.errors else None
        return error
