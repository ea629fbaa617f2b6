"""The deployments of a router under load: places requests, and keeps account of how they end.

In: a request and the names of those that may take it. Out: a `Placement` with the reasons; then what became of it.
The router and every simulation of it place by this one object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from segue.router.breaker import Breaker
from segue.router.placing.host import Asked, Host, Placed
from segue.router.placing.pick import Pick, Policy
from segue.router.placing.predicted import Predicted

GONE = frozenset({"unreachable", "reset"})
"""Outcomes after which a server holds nothing of what it held."""


class Placement:
    """A request that was placed."""

    __slots__ = ("breaker", "pick", "placed", "tries")

    def __init__(self, placed: Placed, pick: Pick, breaker: Breaker, tries: bool) -> None:
        self.placed = placed
        self.pick = pick
        self.breaker = breaker
        self.tries = tries
        """Whether it is the one request that sees whether a deployment is well again."""

    @property
    def name(self) -> str:
        """The deployment's."""
        return self.placed.host.name


class Fleet:
    """Hosts, their breakers, and who places."""

    def __init__(
        self, names: Iterable[str] = (), *, policy: Policy | None = None, jitter: Callable[[], float] | None = None
    ) -> None:
        """`jitter` gives numbers from 0 to 1, for how long a breaker stays open; none: always the middle."""
        self.hosts = {name: Host(name) for name in names}
        self.breakers = {name: Breaker() for name in self.hosts}
        self.policy: Policy = policy or Predicted()
        self._jitter = jitter or (lambda: 0.5)

    def host(self, name: str) -> Host:
        """The host of a deployment, made when first asked for."""
        host = self.hosts.get(name)
        if host is None:
            host = self.hosts[name] = Host(name)
            self.breakers[name] = Breaker()
        return host

    def breaker(self, name: str) -> Breaker:
        """Its breaker."""
        found = self.breakers.get(name)
        if found is None:
            self.host(name)
            found = self.breakers[name]
        return found

    def forget(self, name: str) -> None:
        """It is no deployment any more; what it still has may end all the same."""
        self.hosts.pop(name, None)
        self.breakers.pop(name, None)

    def usable(self, names: Iterable[str], now: float) -> list[Host]:
        """Those that may take a request now; all of them where none may."""
        hosts = [self.host(name) for name in names]
        return [host for host in hosts if self.breakers[host.name].allows(now)] or hosts

    def place(self, asked: Asked, names: Iterable[str], now: float, *, policy: Policy | None = None) -> Placement:
        """Choose, and take account of it."""
        return self.begin(asked, (policy or self.policy).choose(asked, self.usable(names, now), now), now)

    def begin(self, asked: Asked, pick: Pick, now: float) -> Placement:
        """Take account of a request that goes there."""
        breaker = self.breakers[pick.host.name]
        tries = breaker.begin(now)
        placed = pick.host.begin(asked, now, expected_s=pick.first_token_s, held=pick.held)
        return Placement(placed, pick, breaker, tries)

    def first_token(self, placement: Placement, now: float) -> None:
        """Its first token has come."""
        placement.placed.host.first_token(placement.placed, now)

    def went_well(
        self, placement: Placement, now: float, *, output_tokens: int, cached_tokens: int | None = None
    ) -> None:
        """It was answered."""
        placed = placement.placed
        placement.breaker.went_well(now)
        placed.host.end(placed, now, output_tokens=output_tokens, cached_tokens=cached_tokens)

    def failed(self, placement: Placement, outcome: str, now: float) -> None:
        """It failed by the deployment's fault."""
        host = placement.placed.host
        host.leave(placement.placed)
        placement.breaker.failed(now, at_once=outcome in GONE, factor=0.75 + 0.5 * self._jitter())
        if outcome in GONE:
            host.lost()

    def left(self, placement: Placement) -> None:
        """It ended without saying anything of the deployment: cancelled, too many requests, a bad request."""
        host = placement.placed.host
        host.leave(placement.placed)
        placement.breaker.gave_up(placement.tries)
