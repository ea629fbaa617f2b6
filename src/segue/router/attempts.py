"""One request, deployment after deployment, until one answers.

In: a request, the deployments in the order to try them, and where to go on when they are used up. Out: the reply of the
first one that gives a whole answer, with the list of what was tried. What was shown of a broken answer is taken back
by a `Reset`; tool calls of a broken answer are never seen by anybody. Who is tried in which order is decided in
`segue.router.policy`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from segue.base.errors import EndpointError
from segue.base.ports import Randomness
from segue.router.deployment import Deployment
from segue.router.errors import AttemptError, ContextOverflow, DeadlinePassed, NoDeploymentLeft, RateLimited
from segue.router.types import Attempt, Delta, GenerationRequest, OnDelta, Reply, Reset

MAX_WAIT_S = 10.0
"""The longest that a rate-limited deployment is waited for when no other one is left."""
_BACKOFF_S = 0.05


class Attempts:
    """What was tried for one request."""

    def __init__(
        self,
        route: str,
        *,
        on_delta: OnDelta | None,
        deadline: float | None,
        randomness: Randomness,
    ) -> None:
        self._route = route
        self._on_delta = on_delta
        self._deadline = deadline
        self._randomness = randomness
        self._shown = False
        self.made: list[Attempt] = []
        self.errors: list[AttemptError] = []

    async def run(self, queue: Sequence[tuple[Deployment, GenerationRequest]]) -> tuple[Deployment, Reply]:
        """Try them in order, then those once more that may have recovered.

        Raises:
            NoDeploymentLeft: None of them answered.
            AttemptError: The request would fail anywhere, or the caller's deadline has passed.
        """
        first, again = deque(queue), deque[tuple[Deployment, GenerationRequest, float]]()
        while first or again:
            if first:
                deployment, request = first.popleft()
                retry = True
            else:
                deployment, request, wait_s = again.popleft()
                await asyncio.sleep(wait_s)
                retry = False
            try:
                return deployment, await self._try(deployment, request)
            except AttemptError as error:
                self._note(error)
                if not error.elsewhere:
                    raise
                if isinstance(error, ContextOverflow):
                    first = self._longer(first, deployment, error)
                if retry and error.again and (wait := self._wait_s(error)) is not None:
                    again.append((deployment, request, wait))
        raise NoDeploymentLeft(self._route, self.made, self.errors) from self.errors[-1]

    async def _try(self, deployment: Deployment, request: GenerationRequest) -> Reply:
        start = time.monotonic()
        try:
            if self._deadline is not None and start >= self._deadline:
                raise DeadlinePassed(deployment.name, "was not asked: the caller's deadline had passed")
            show = None if self._on_delta is None else self._show
            reply = await deployment.generate(request, on_delta=show, deadline=self._deadline)
        except AttemptError as error:
            self._record(deployment, error.outcome, start, error.message)
            raise
        except EndpointError as error:
            self._record(deployment, "failed", start, error.message)
            raise AttemptError(deployment.name, "failed", detail=error.message, way_out=error.way_out) from error
        self._record(deployment, "ok", start)
        return reply

    def _record(self, deployment: Deployment, outcome: str, start: float, error: str = "") -> None:
        duration_s = time.monotonic() - start
        self.made.append(Attempt(deployment=deployment.name, outcome=outcome, error=error, duration_s=duration_s))

    def _show(self, delta: Delta) -> None:
        self._shown = not isinstance(delta, Reset)
        if self._on_delta is not None:
            self._on_delta(delta)

    def _note(self, error: AttemptError) -> None:
        self.errors.append(error)
        if self._shown and self._on_delta is not None:
            self._shown = False
            self._on_delta(Reset(error.message))

    def _longer(
        self, left: deque[tuple[Deployment, GenerationRequest]], deployment: Deployment, error: ContextOverflow
    ) -> deque[tuple[Deployment, GenerationRequest]]:
        """Of those left, the ones with a longer context; the error itself where there are none."""
        known = deployment.context_tokens or 0
        longer = deque(item for item in left if (item[0].context_tokens or 0) > known)
        if not longer:
            raise error
        return longer

    def _wait_s(self, error: AttemptError) -> float | None:
        """How long to wait before the same deployment is tried again; `None` where that is too long."""
        wait_s = self._randomness.random() * _BACKOFF_S
        if isinstance(error, RateLimited):
            wait_s = 1.0 if error.retry_after_s is None else error.retry_after_s
        too_late = self._deadline is not None and time.monotonic() + wait_s >= self._deadline
        return None if wait_s > MAX_WAIT_S or too_late else wait_s
