"""The plain policies that everybody knows: in order, in turn, by weight, least loaded, lowest latency, cheapest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from segue.base.ports import Randomness
from segue.router.placing.host import NO_PRICE, Asked, Host, Rates
from segue.router.placing.pick import Pick

_UNCERTAIN = 0.1
"""How often the lowest latency is not believed, so that those who were slow once are asked again."""


class InOrder:
    """The first one that can."""

    def choose(self, asked: Asked, hosts: Sequence[Host], now: float) -> Pick:
        """The first."""
        return Pick(hosts[0], "the first of its deployments")


class InTurn:
    """One after the other."""

    def __init__(self) -> None:
        self._turns: dict[str, int] = {}
        self._turn = 0

    def choose(self, asked: Asked, hosts: Sequence[Host], now: float) -> Pick:
        """The one whose last turn is the longest ago."""
        host = min(hosts, key=lambda each: self._turns.get(each.name, 0))
        self._turn += 1
        self._turns[host.name] = self._turn
        return Pick(host, "whose turn it was")


class ByWeight:
    """At random, by weight."""

    def __init__(self, weights: Mapping[str, float], randomness: Randomness) -> None:
        self._weights = weights
        self._randomness = randomness

    def choose(self, asked: Asked, hosts: Sequence[Host], now: float) -> Pick:
        """Drawn."""
        point = self._randomness.random() * sum(self._weights.get(host.name, 1.0) for host in hosts)
        for host in hosts:
            point -= self._weights.get(host.name, 1.0)
            if point < 0:
                break
        return Pick(host, "drawn by weight")


class LeastLoaded:
    """Where the fewest requests are."""

    def choose(self, asked: Asked, hosts: Sequence[Host], now: float) -> Pick:
        """The one with the fewest; of equals the one that was asked least."""
        host = min(hosts, key=lambda each: (each.load(now)[0], each.placed))
        return Pick(host, f"the least loaded ({host.load(now)[0]:g} requests)")


class LowestLatency:
    """Where the first token came soonest; those that were never asked go first."""

    def __init__(self, randomness: Randomness) -> None:
        self._randomness = randomness

    def choose(self, asked: Asked, hosts: Sequence[Host], now: float) -> Pick:
        """The soonest, now and then any other one; requests that wait there count as further such times."""
        if self._randomness.random() < _UNCERTAIN:
            host = hosts[int(self._randomness.random() * len(hosts)) % len(hosts)]
            return Pick(host, "looked at anew, since latencies change")
        host = min(hosts, key=lambda each: ((each.first_token_s or 0.0) * (1 + each.load(now)[0]), each.placed))
        known = host.first_token_s
        return Pick(
            host, "never asked yet" if known is None else f"with the lowest latency ({known:.2g} s)", known or 0.0
        )


class Cheapest:
    """Where the request costs least; what has no price counts as dear."""

    def __init__(self, rates: Callable[[Host], Rates | None]) -> None:
        """`rates` says what a host's tokens cost: `None` where that is not known yet."""
        self._rates = rates

    def choose(self, asked: Asked, hosts: Sequence[Host], now: float) -> Pick:
        """The cheapest; of equals the least loaded."""
        prices = {host.name: self._price_usd(host, asked) for host in hosts}

        def cost(host: Host) -> tuple[float, float, int]:
            price = prices[host.name]
            return (float("inf") if price is None else price), host.load(now)[0], host.placed

        host = min(hosts, key=cost)
        price = prices[host.name]
        return Pick(host, "of an unknown price, as all are" if price is None else f"the cheapest (about ${price:.2g})")

    def _price_usd(self, host: Host, asked: Asked) -> float | None:
        usd = self._rates(host)
        if usd is None or usd is NO_PRICE:
            return None
        new = max(1.0, asked.input_tokens - host.matched(asked))
        return new * usd[0] + (asked.input_tokens - new) * usd[1] + asked.output_tokens * usd[2]
