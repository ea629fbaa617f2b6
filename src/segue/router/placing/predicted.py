"""The policy of this house: a request goes where it, and those whom it would hold up, are done the soonest.

In: a request and the hosts that may take it. Out: the one with the lowest cost, which is counted in seconds for all of
it, so that a slow host, a busy one, one that holds the conversation and one that costs money compare without any
threshold:

    3 x (tokens ahead + own new tokens) / reading rate       a wait for the first token weighs three times
    3 x what its oldest request waits too long               an engine that hangs, or has become slow
    own new tokens / reading rate x requests that it has     reading holds up everyone who is being answered there
    expected output x seconds per token                      as learned under its usual load
    its price / what a second is worth
    the wait that its rate limit wants

Only tokens that a host does not hold count as new. The third line is why a conversation stays where it is held, and
why a hot spot lets it go: both are the same seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from segue.router.placing.host import Asked, Host
from segue.router.placing.pick import Pick

FIRST_TOKEN_WEIGHS = 3.0
_READ_RATE = 10_000.0
_TOKEN_S = 0.02
"""What a host is thought to do as long as nothing was learned from any."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """What a host was thought to cost, in seconds."""

    host: Host
    new_tokens: float
    requests: float
    total: float
    wait: float
    """Until it begins to read this one."""
    read: float
    """Reading what it does not hold."""
    holds_up: float
    """What that costs those whom it is answering, together."""
    write: float
    """Writing the answer."""
    overdue: float
    price: float
    limit: float

    @property
    def first_token_s(self) -> float:
        """When the first token should come."""
        return self.wait + self.read + self.limit


class Predicted:
    """Places by predicted seconds."""

    def __init__(
        self,
        *,
        second_usd: float = 0.01,
        price_usd: Callable[[Host, Asked, float], float | None] | None = None,
        limit_s: Callable[[Host, Asked, float], float] | None = None,
    ) -> None:
        """Say what a second is worth, and what a host costs for a request with so many new tokens.

        `limit_s` is how long its rate limit would have the request wait.
        """
        self._second_usd = second_usd
        self._price_usd = price_usd
        self._limit_s = limit_s

    def costs(self, asked: Asked, hosts: Sequence[Host], now: float) -> list[Seconds]:
        """What each would cost."""
        usual_rate = _middle([host.read_rate for host in hosts if host.read_rate is not None], _READ_RATE)
        usual_token = _middle([host.token_s for host in hosts if host.token_s is not None], _TOKEN_S)
        return [self._cost(asked, host, now, usual_rate, usual_token) for host in hosts]

    def choose(self, asked: Asked, hosts: Sequence[Host], now: float) -> Pick:
        """The one of the lowest cost; of equals the one that was asked least."""
        costs = self.costs(asked, hosts, now)
        best = costs[0]
        for cost in costs[1:]:
            if cost.total < best.total or (cost.total == best.total and cost.host.placed < best.host.placed):
                best = cost
        return Pick(best.host, lambda: _words(asked, best, costs), best.first_token_s)

    def _cost(self, asked: Asked, host: Host, now: float, usual_rate: float, usual_token: float) -> Seconds:
        rate = host.read_rate or usual_rate
        in_flight, ahead = host.load(now)
        new = max(1.0, asked.input_tokens - host.matched(asked))
        wait, read = ahead / rate, new / rate
        holds_up = read * in_flight
        write = asked.output_tokens * (host.token_s or usual_token)
        overdue = host.overdue_s(now)
        price = 0.0 if self._price_usd is None else (self._price_usd(host, asked, new) or 0.0) / self._second_usd
        limit = 0.0 if self._limit_s is None else self._limit_s(host, asked, now)
        total = FIRST_TOKEN_WEIGHS * (wait + read + overdue) + holds_up + write + price + limit
        return Seconds(host, new, in_flight, total, wait, read, holds_up, write, overdue, price, limit)


def _words(asked: Asked, best: Seconds, costs: Sequence[Seconds]) -> str:
    """Such as: the soonest of 8: first token in 0.31 s (holds 92 %, 3 requests there); next 'gpu2', 1.2 s more."""
    held = 1.0 - best.new_tokens / max(1, asked.input_tokens)
    at = f"holds {held:.0%} of the conversation, {best.requests:g} requests there"
    words = f"the soonest of {len(costs)}: first token foreseen in {best.first_token_s:.2g} s ({at})"
    if len(costs) == 1:
        return f"the only one of its model that can be asked ({at})"
    following = min((cost for cost in costs if cost is not best), key=lambda cost: cost.total)
    return f"{words}; next is {following.host.name!r}, {following.total - best.total:.2g} s costlier"


def _middle(numbers: list[float], otherwise: float) -> float:
    if not numbers:
        return otherwise
    numbers.sort()
    return numbers[len(numbers) // 2]
