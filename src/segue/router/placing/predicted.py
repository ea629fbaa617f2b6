"""The policy of this house: a request goes where it, and those whom it would hold up, are done the soonest.

In: a request and the hosts that may take it. Out: the one with the lowest cost, which is counted in seconds for all of
it, so that a slow host, a busy one, one that holds the conversation and one that costs money compare without any
threshold:

    3 x (tokens ahead + own new tokens) / reading rate       a wait for the first token weighs three times
    3 x what its oldest request waits too long               an engine that hangs, or has become slow
    own new tokens / reading rate x requests that it has     reading holds up everyone who is being answered there
    expected output x seconds per token                      as learned under its usual load
    its price / what a second is worth

Only tokens that a host does not hold count as new. A host whose limits are used up is not among them. The third line
is why a conversation stays where it is held, and
why a hot spot lets it go: both are the same seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from segue.router.placing.host import Asked, Host
from segue.router.placing.pick import Pick

FIRST_TOKEN_WEIGHS = 3.0
_READ_RATE = 10_000.0
_TOKEN_S = 0.02
"""What a host is thought to do as long as nothing was learned from any."""


class Seconds(NamedTuple):
    """What a host was thought to cost."""

    host: Host
    total: float
    """All of it, in seconds."""
    new: float
    """Tokens that it does not hold."""
    in_flight: float
    """Requests that it has."""
    wait: float
    """Until it begins to read this one."""
    read: float
    """Reading what it does not hold."""
    overdue: float

    @property
    def first_token_s(self) -> float:
        """When the first token should come."""
        return self.wait + self.read


class Predicted:
    """Places by predicted seconds."""

    def __init__(
        self,
        *,
        second_usd: float = 0.01,
        price_usd: Callable[[Host, Asked, float], float | None] | None = None,
    ) -> None:
        """Say what a second is worth, and what a host costs for a request with so many new tokens."""
        self._second_usd = second_usd
        self._price_usd = price_usd

    def costs(self, asked: Asked, hosts: Sequence[Host], now: float) -> list[Seconds]:
        """What each would cost."""
        usual_rate = _middle([host.read_rate for host in hosts if host.read_rate is not None], _READ_RATE)
        usual_token = _middle([host.token_s for host in hosts if host.token_s is not None], _TOKEN_S)
        price_usd, found = self._price_usd, []
        for host in hosts:
            rate = host.read_rate or usual_rate
            in_flight, ahead = host.load(now)
            new = asked.input_tokens - host.matched(asked)
            if new < 1.0:
                new = 1.0
            read, wait, overdue = new / rate, ahead / rate, host.overdue_s(now)
            total = FIRST_TOKEN_WEIGHS * (wait + read + overdue) + read * in_flight
            total += asked.output_tokens * (host.token_s or usual_token)
            if price_usd is not None:
                total += (price_usd(host, asked, new) or 0.0) / self._second_usd
            found.append(Seconds(host, total, new, in_flight, wait, read, overdue))
        return found

    def choose(self, asked: Asked, hosts: Sequence[Host], now: float) -> Pick:
        """The one of the lowest cost; of equals the one that was asked least."""
        costs = self.costs(asked, hosts, now)
        best, following = costs[0], None
        for cost in costs[1:]:
            if cost.total < best.total or (cost.total == best.total and cost.host.placed < best.host.placed):
                best, following = cost, best
            elif following is None or cost.total < following.total:
                following = cost
        return Pick(best.host, lambda: _words(asked, best, following, len(costs)), best.first_token_s)


def _words(asked: Asked, best: Seconds, following: Seconds | None, count: int) -> str:
    """Such as: the soonest of 8: first token foreseen in 0.31 s (holds 92 % of the conversation, 3 requests there)."""
    held = 100 - int(100 * best.new / (asked.input_tokens or 1))
    at = f"it holds {held} % of the conversation and has {best.in_flight:g} other requests"
    if following is None:
        return f"the only one of its model that can be asked ({at})"
    more = f"next is {following.host.name!r}, by {following.total - best.total:.2f} s"
    return f"the soonest of {count}: first token foreseen in {best.first_token_s:.2f} s ({at}); {more}"


def _middle(numbers: list[float], otherwise: float) -> float:
    if not numbers:
        return otherwise
    numbers.sort()
    return numbers[len(numbers) // 2]
