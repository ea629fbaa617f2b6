"""What the router knows of one deployment: what it has given it, how fast it was, and what it should hold.

In: requests as they are placed, give their first token and end. Out: the figures that a policy decides by. All of it
is the router's own knowledge, exact and instant; what a server's `/metrics` says only corrects it (`told`), for other
clients of the same server.
"""

from __future__ import annotations

from dataclasses import dataclass

from segue.router.placing.prefixes import Chain, Prefixes

Rates = tuple[float, float, float]
"""US dollars for a token of input, for one that is in a prefix cache, and for one of output."""
NO_PRICE: Rates = (0.0, 0.0, 0.0)
"""The rates of what has none that anybody knows."""
LEARNS = 0.1
"""How much of a new measurement goes into what was learned."""
_LEAST_TOKENS = 400
"""Fewer tokens to read say nothing of how fast they are read: the rest of the time outweighs them."""
_LEAST_OUTPUT = 8
DOUBTED = 0.7
"""A server that holds less than this part of what it should, again and again, is believed no more."""
_TOLD_FOR_S = 3.0
"""What `/metrics` said is forgotten after that."""


@dataclass(slots=True, kw_only=True)
class Asked:
    """One request, as far as it matters where it goes."""

    input_tokens: int
    """All of the conversation."""
    output_tokens: float
    """What the answer is expected to take."""
    chain: Chain = ()
    """A hash for each piece of the conversation that stands for all before it, too."""
    piece_tokens: float = 0.0
    """How many tokens a piece of the chain is."""
    session: str = ""
    """Who asks: a thread, or a worker of a run."""


class Placed:
    """One request at one host."""

    __slots__ = ("ahead", "expected_s", "first_at", "held", "host", "new", "started")

    def __init__(self, host: Host, now: float, held: float, new: float) -> None:
        self.host = host
        self.held = held
        """Tokens that the host should hold, by what it was given."""
        self.new = new
        """Tokens that it has to read."""
        self.ahead = host.ahead
        """Tokens that others had it read when this one came."""
        self.started = now
        self.first_at: float | None = None
        self.expected_s = 0.0
        """To the first token, as it was foreseen."""


class Host:
    """One deployment under load."""

    def __init__(self, name: str, *, most_pieces: int = 20_000, max_seqs: int = 0) -> None:
        """`max_seqs`: how many requests it does side by side; 0 where that is not known."""
        self.name = name
        self.max_seqs = max_seqs
        self.prefixes = Prefixes(most_pieces)
        self.in_flight = 0
        """Requests that it has, of ours."""
        self.ahead = 0.0
        """Tokens that it has to read before a new request's, of ours."""
        self.placed = 0
        self.read_rate: float | None = None
        """Tokens that it reads in a second until the first token comes; `None` until that is known."""
        self.token_s: float | None = None
        """Seconds for a token of an answer, as busy as it was."""
        self.first_token_s: float | None = None
        """Seconds to the first token."""
        self.trust = 1.0
        """How much of what it should hold it did hold, by its own count of cached tokens."""
        self.rates: Rates | None = None
        """What it costs; `None` until that was asked for."""
        self.others = 0.0
        """Requests that it has, of other clients."""
        self.others_ahead = 0.0
        self._told_at = float("-inf")
        self.waiting: dict[int, Placed] = {}
        """Requests of ours whose first token has not come, the oldest first."""

    def matched(self, asked: Asked) -> float:
        """How many tokens of the request it is thought to hold."""
        return self.believed(self.held(asked))

    def held(self, asked: Asked) -> float:
        """How many it should hold, by what it was given."""
        return self.prefixes.match(asked.chain) * asked.piece_tokens if asked.chain else 0.0

    def believed(self, held: float) -> float:
        """How many of those it is believed to hold."""
        return held * self.trust if self.trust < DOUBTED else held

    def begin(self, asked: Asked, now: float, *, expected_s: float = 0.0, held: float | None = None) -> Placed:
        """A request goes to it. `held` is what it should hold of it, where the caller knows."""
        if asked.chain:
            if held is None:
                held = self.held(asked)
            new = asked.input_tokens - (held if self.trust >= DOUBTED else held * self.trust)
            self.prefixes.add(asked.chain)
        else:
            held, new = 0.0, asked.input_tokens
        placed = Placed(self, now, held, new if new > 1.0 else 1.0)
        placed.expected_s = expected_s
        self.in_flight += 1
        self.placed += 1
        self.ahead += placed.new
        self.waiting[id(placed)] = placed
        return placed

    def first_token(self, placed: Placed, now: float) -> None:
        """The first token of its answer has come."""
        if placed.first_at is not None:
            return
        placed.first_at = now
        self._read(placed)
        took_s, read = now - placed.started, placed.ahead + placed.new
        self.first_token_s = _learned(self.first_token_s, took_s)
        if read > _LEAST_TOKENS and took_s > 0:
            self.read_rate = _learned(self.read_rate, read / max(1e-4, took_s))

    def end(self, placed: Placed, now: float, *, output_tokens: int, cached_tokens: int | None) -> None:
        """It has answered. `cached_tokens` is what it says of its prefix cache; `None` where it says nothing."""
        self.first_token(placed, now)
        self.leave(placed)
        if cached_tokens is not None and placed.held > _LEAST_TOKENS:
            self.trust += LEARNS * (min(1.0, cached_tokens / placed.held) - self.trust)
        first_at = placed.first_at or now
        if output_tokens > _LEAST_OUTPUT and now > first_at:
            self.token_s = _learned(self.token_s, (now - first_at) / (output_tokens - 1))

    def leave(self, placed: Placed) -> None:
        """It has it no more, however that came."""
        self.in_flight -= 1
        self._read(placed)

    def lost(self) -> None:
        """It was gone, and holds nothing any more."""
        self.prefixes.clear()

    def overdue_s(self, now: float) -> float:
        """How much longer its oldest request waits for a first token than it should."""
        for placed in self.waiting.values():  # the oldest is the first of them
            return max(0.0, now - placed.started - 2 * placed.expected_s - 0.5)
        return 0.0

    def told(self, *, running: float, waiting: float, kv_tokens: int | None, piece_tokens: float, now: float) -> None:
        """What its `/metrics` say; all that is not ours is others'."""
        self.others = max(0.0, running + waiting - self.in_flight)
        mean_new = self.ahead / len(self.waiting) if self.waiting else 0.0
        self.others_ahead = max(0.0, waiting - len(self.waiting)) * mean_new
        self._told_at = now
        if kv_tokens and piece_tokens >= 1:
            self.prefixes.shrink(max(64, int(kv_tokens / piece_tokens)))

    def load(self, now: float) -> tuple[float, float]:
        """Requests that it has, and tokens that it has to read before a new one's: ours and others'."""
        if not self.others or now - self._told_at > _TOLD_FOR_S:
            return self.in_flight, self.ahead
        return self.in_flight + self.others, self.ahead + self.others_ahead

    def _read(self, placed: Placed) -> None:
        if self.waiting.pop(id(placed), None) is not None:
            self.ahead = max(0.0, self.ahead - placed.new) if self.waiting else 0.0


def _learned(known: float | None, measured: float) -> float:
    return measured if known is None else known + LEARNS * (measured - known)
