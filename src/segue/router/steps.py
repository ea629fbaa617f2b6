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


@dataclass(slots=True)
class Go:
    """One try: who is asked, by which step, and what it took of the limits."""

    step: Step
    deployment: Deployment
    placement: Placement
    taken: Taken
