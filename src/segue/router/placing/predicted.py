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

from segue.router.placing.host import DOUBTED, NO_PRICE, Asked, Host, Rates
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
    first_token_s: float
    """When the first token should come."""
    held: float
    """Tokens that it should hold."""


_Row = tuple[Host, float, float, float, float, float]
"""`Seconds`, as a plain tuple."""


class Predicted:
    """Places by predicted seconds."""

    def __init__(self, *, second_usd: float = 0.01, rates: Callable[[Host], Rates | None] | None = None) -> None:
        """Say what a second is worth, and what a host's tokens cost: `None` where that is not known yet."""
        self._per_usd = 1.0 / second_usd
        self._rates = rates

    def costs(self, asked: Asked, hosts: Sequence[Host], now: float) -> list[Seconds]:
        """What each would cost."""
        return [Seconds(*row) for row in self._rows(asked, hosts, now)]

    def choose(self, asked: Asked, hosts: Sequence[Host], now: float) -> Pick:
        """The one of the lowest cost; of equals the one that was asked least."""
        rows = self._rows(asked, hosts, now)
        best, following = rows[0], None
        for row in rows[1:]:
            if row[1] < best[1] or (row[1] == best[1] and row[0].placed < best[0].placed):
                best, following = row, best
            elif following is None or row[1] < following[1]:
                following = row
        return Pick(best[0], lambda: _words(asked, best, following, len(rows)), best[4], best[5])

    def _rows(self, asked: Asked, hosts: Sequence[Host], now: float) -> list[_Row]:
        """The same as plain tuples: this is the innermost loop of placing."""
        usual_rate = _middle([host.read_rate for host in hosts if host.read_rate is not None], _READ_RATE)
        usual_token = _middle([host.token_s for host in hosts if host.token_s is not None], _TOKEN_S)
        tokens, output, chain, piece = asked.input_tokens, asked.output_tokens, asked.chain, asked.piece_tokens
        rows: list[_Row] = []
        for host in hosts:
            rate = host.read_rate or usual_rate
            in_flight, ahead = host.load(now) if host.others else (host.in_flight, host.ahead)
            held = host.prefixes.match(chain) * piece if chain else 0.0
            new = tokens - (held if host.trust >= DOUBTED else held * host.trust)
            if new < 1.0:
                new = 1.0
            read = new / rate
            first_s = read + ahead / rate
            total = FIRST_TOKEN_WEIGHS * (first_s + (host.overdue_s(now) if host.waiting else 0.0)) + read * in_flight
            total += output * (host.token_s or usual_token)
            if (usd := host.rates) is None and self._rates is not None:
                usd = host.rates = self._rates(host)
            if usd is not None and usd is not NO_PRICE:
                total += (new * usd[0] + (tokens - new) * usd[1] + output * usd[2]) * self._per_usd
            rows.append((host, total, new, in_flight, first_s, held))
        return rows


def _words(asked: Asked, best: _Row, following: _Row | None, count: int) -> str:
    """Such as: the soonest of 8: first token foreseen in 0.31 s (holds 92 % of the conversation, 3 requests there)."""
    _, total, new, in_flight, first_token_s, _ = best
    held = 100 - int(100 * new / (asked.input_tokens or 1))
    at = f"it holds {held} % of the conversation and has {in_flight:g} other requests"
    if following is None:
        return f"the only one of its model that can be asked ({at})"
    more = f"next is {following[0].name!r}, by {following[1] - total:.2f} s"
    return f"the soonest of {count}: first token foreseen in {first_token_s:.2f} s ({at}); {more}"


def _middle(numbers: list[float], otherwise: float) -> float:
    if not numbers:
        return otherwise
    numbers.sort()
    return numbers[len(numbers) // 2]
