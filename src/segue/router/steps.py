"""What one request may be tried on, and how things stand for all of them; plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from segue.base.ports import Randomness
from segue.router.deployment import Deployment
from segue.router.limits import Limits, Taken
from segue.router.line import Line
from segue.router.placing.fleet import Fleet, Placement
from segue.router.placing.pick import Policy
from segue.router.types import GenerationRequest

_RETRIES_KEPT_S = 10.0
"""For so many seconds retries that were not made are kept."""


@dataclass(slots=True)
class Step:
    """Deployments of which one is chosen, and the request as their route wants it."""

    deployments: Sequence[Deployment]
    request: GenerationRequest
    policy: Policy
    hedge: float = 0.0
    """The share of requests that may be asked of a second deployment, too, when the first is late."""
    fallback: str = ""
    """The fallback route that they are of; empty for those of the route that was asked for."""
    continues: bool = False
    """Whether an answer that broke off may be gone on with."""


@dataclass(frozen=True)
class Standing:
    """How things stand in the router, for all requests."""

    fleet: Fleet
    limits: dict[str, Limits]
    randomness: Randomness
    wait_s: float
    """The longest that a request waits for limits."""
    line: Line = field(default_factory=Line)
    hedges: Hedges = field(default_factory=lambda: Hedges())
    retries: Retries = field(default_factory=lambda: Retries())


@dataclass
class Hedges:
    """How many requests were asked of two deployments at once, out of how many."""

    requests: int = 0
    made: int = 0
    won: int = 0
    """Those that the second one answered first."""

    def allow(self, share: float) -> bool:
        """Whether one more stays within a share of the requests."""
        return self.made < share * self.requests


class Retries:
    """How many requests may be made once more: a share of all of them, and a few a second.

    Going on to another deployment is no retry: this is what bounds the load on deployments that all fail.
    """

    def __init__(self, share: float = 0.2, per_second: float = 10.0) -> None:
        """`share` is that of the requests, added to what `per_second` gives."""
        self._share = share
        self._per_second = per_second
        self._most = per_second * _RETRIES_KEPT_S
        self._left = self._most
        self._at = 0.0
        self.refused = 0
        """How many were not made for this."""

    def request(self) -> None:
        """A request was made."""
        if self._left < self._most:
            self._left = min(self._most, self._left + self._share)

    def allow(self, now: float) -> bool:
        """Whether one may be made now."""
        self._left = min(self._most, self._left + self._per_second * max(0.0, now - self._at))
        self._at = now
        if self._left < 1:
            self.refused += 1
            return False
        self._left -= 1
        return True


@dataclass(slots=True)
class Go:
    """One try: who is asked, by which step, and what it took of the limits."""

    step: Step
    deployment: Deployment
    placement: Placement
    limits: Limits
    taken: Taken
