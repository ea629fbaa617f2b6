"""What a deployment allows: requests by `asyncio-throttle`, tokens by reservation, and what its server says.

In: a request that wants to go there, and the headers and refusals of the server. Out: how long it would have to wait,
and a reservation that is corrected once the true count is known. A window slides: in no stretch of its length is more
taken than allowed. Who waits is served in the order of coming: see `segue.router.attempts`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from asyncio_throttle.throttler import Throttler

from segue.router.waits import reset_s

MINUTE_S = 60.0
_LOOK_S = 1.0
"""How soon it is worth looking again whether one of the requests that go has ended, if nobody says so."""
_FORGETS_S = 120.0
"""So long after the last refusal a server counts as bearing all."""
_ARRIVES_S = 3.0
"""A request that was sent longer ago has come to its server, although that has not answered yet."""
_RETRY_S = 1.0
"""How long a server that is over its limit is left alone where it does not say."""
_BELIEVED_S = 3600.0
"""A server that asks to be left alone for longer is asked again after that."""


class Requests(Throttler):
    """Requests in an interval: the count of `asyncio-throttle`, which says how long to wait instead of polling.

    A request counts from when it goes until an interval after its server has it: what the network delays would else
    fall into the server's next interval, on top of that one's own.
    """

    def __init__(self, most: int, period_s: float) -> None:
        super().__init__(most, period=period_s)
        self._going: OrderedDict[int, float] = OrderedDict()
        self._number = 0

    def wait_s(self, now: float) -> float:
        """Seconds until one more may go."""
        while self._going:
            number, began = next(iter(self._going.items()))
            if now - began < _ARRIVES_S:
                break
            self.arrived(number, now)
        while self._task_logs and now - self._task_logs[0] > self.period:
            self._task_logs.popleft()
        over = len(self._task_logs) + len(self._going) - int(self.rate_limit)
        if over < 0:
            return 0.0
        if over >= len(self._task_logs):
            return _LOOK_S
        return max(0.001, float(self._task_logs[over] + self.period) - now + 0.001)

    def take(self, now: float) -> int:
        """One goes; what is returned is handed to `arrived`."""
        self._number += 1
        self._going[self._number] = now
        return self._number

    def arrived(self, number: int, now: float) -> None:
        """The server has it, since it answers."""
        if self._going.pop(number, None) is not None:
            self._task_logs.append(now)


@dataclass(slots=True)
class _Counted:
    """Tokens of one request."""

    since: float
    tokens: float
    there: bool = False


class Tokens:
    """Tokens in a minute. Those of a request count until a minute after its server has it."""

    def __init__(self, most: int, period_s: float = MINUTE_S) -> None:
        self.most = most
        self._period_s = period_s
        self._taken: OrderedDict[int, _Counted] = OrderedDict()
        """By the time that they count from."""
        self._sum = 0.0
        self._number = 0

    def wait_s(self, tokens: float, now: float) -> float:
        """Seconds until so many more may go; a request larger than the limit waits until nothing else is in it."""
        self._flush(now)
        over = self._sum + min(tokens, self.most) - self.most
        if over <= 0 or not self._taken:
            return 0.0
        ends = now
        for each in self._taken.values():
            ends = max(ends, self._ends(each))
            over -= each.tokens
            if over <= 0:
                break
        return max(0.001, ends - now + 0.001)

    def take(self, tokens: float, now: float) -> int:
        """So many go; what is returned is handed to `arrived` and `correct`."""
        self._number += 1
        self._taken[self._number] = _Counted(now, tokens)
        self._sum += tokens
        return self._number

    def arrived(self, number: int, now: float) -> None:
        """The server has them, since it answers."""
        if (each := self._taken.pop(number, None)) is not None:
            self._taken[number] = _Counted(now, each.tokens, there=True)

    def correct(self, number: int, tokens: float) -> None:
        """They were so many in truth."""
        if (each := self._taken.get(number)) is not None:
            self._sum += tokens - each.tokens
            each.tokens = tokens

    def _ends(self, each: _Counted) -> float:
        return each.since + self._period_s + (0.0 if each.there else _ARRIVES_S)

    def _flush(self, now: float) -> None:
        while self._taken and now > self._ends(next(iter(self._taken.values()))):
            self._sum -= self._taken.popitem(last=False)[1].tokens
        if not self._taken:
            self._sum = 0.0


class Slots:
    """Requests side by side: as many as the settings say, or as a server that refuses some turns out to bear.

    A refusal takes a fifth off what was there; each full round that goes well gives one back.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.held = 0
        self.limit = float("inf") if most is None else float(most)
        self._cut_at = float("-inf")

    @property
    def free(self) -> bool:
        """Whether one more may go."""
        return self.held < max(1.0, self.limit)

    def refused(self, now: float) -> None:
        """The server refused one; those of the same moment count once."""
        if now - self._cut_at < _RETRY_S:
            return
        self._cut_at = now
        self.limit = max(1.0, 0.8 * min(self.limit, float(max(self.held, 1))))

    def went_well(self, now: float) -> None:
        """One was answered."""
        if self.held >= self.limit - 1:
            self.limit += 1.0 / max(1.0, self.limit)
        if self.most is not None:
            self.limit = min(self.limit, float(self.most))
        elif now - self._cut_at > _FORGETS_S:
            self.limit = float("inf")


@dataclass(slots=True)
class Taken:
    """What one request took of the limits."""

    numbers: tuple[int, ...] = ()
    tokens: int | None = None
    there: bool = False


NOTHING = Taken()
"""What a request takes where there is nothing to count."""


@dataclass(slots=True)
class _Told:
    """What the server said is left, until when."""

    left: float = float("inf")
    until: float = 0.0


@dataclass
class Limits:
    """The limits of one deployment; those that are `None` it has not."""

    requests: tuple[Requests, ...] = ()
    tokens: Tokens | None = None
    slots: Slots = field(default_factory=Slots)
    blocked_until: float = 0.0
    """A reading of `time.monotonic()`: until then the server wants no requests."""
    refused: int = 0
    """How often it said so."""
    open: bool = field(init=False)
    """Whether it has no limit at all, and nobody has ever said that it has one."""
    _was_told: bool = False
    _requests_told: _Told = field(default_factory=_Told)
    _tokens_told: _Told = field(default_factory=_Told)

    @classmethod
    def of(
        cls,
        *,
        requests_per_second: float | None = None,
        requests_per_minute: float | None = None,
        tokens_per_minute: int | None = None,
        max_concurrency: int | None = None,
    ) -> Limits:
        """Limits as the settings have them; less than one request in an interval is one in a longer one."""
        wanted = ((requests_per_second, 1.0), (requests_per_minute, MINUTE_S))
        requests = tuple(_requests(most, period_s) for most, period_s in wanted if most is not None)
        tokens = None if tokens_per_minute is None else Tokens(tokens_per_minute)
        return cls(requests, tokens, Slots(max_concurrency))

    def __post_init__(self) -> None:
        self.open = not self.requests and self.tokens is None and self.slots.most is None

    def wait_s(self, tokens: float, now: float) -> float:
        """Seconds until a request of so many tokens may go; 0 where it may now."""
        wait = self.blocked_until - now
        for each in self.requests:
            wait = max(wait, each.wait_s(now))
        if self.tokens is not None:
            wait = max(wait, self.tokens.wait_s(tokens, now))
        if self._requests_told.left < 1:
            wait = max(wait, self._requests_told.until - now)
        if self._tokens_told.left < tokens:
            wait = max(wait, self._tokens_told.until - now)
        if not self.slots.free:
            wait = max(wait, _LOOK_S)
        return max(0.0, wait)

    def take(self, tokens: float, now: float) -> Taken:
        """A request goes; it is let go although it does not fit, if whoever sends it does not wait."""
        self.slots.held += 1
        if self._was_told:
            for told, amount in ((self._requests_told, 1.0), (self._tokens_told, tokens)):
                if told.until:
                    told.left = told.left - amount if now < told.until else float("inf")
        if not self.requests and self.tokens is None:
            return NOTHING
        numbers = tuple([each.take(now) for each in self.requests])
        return Taken(numbers, None if self.tokens is None else self.tokens.take(tokens, now))

    def arrived(self, taken: Taken, now: float) -> None:
        """The server has it: its first piece of an answer came, or its end."""
        if taken is NOTHING:
            return
        for each, number in zip(self.requests, taken.numbers, strict=True):
            each.arrived(number, now)
        if self.tokens is not None and taken.tokens is not None and not taken.there:
            self.tokens.arrived(taken.tokens, now)
        taken.there = True

    def end(self, taken: Taken, now: float, tokens: float | None = None) -> None:
        """It has ended; `tokens` is what it took in truth, `None` where nobody knows."""
        self.slots.held -= 1
        self.arrived(taken, now)
        if tokens is not None and self.tokens is not None and taken.tokens is not None:
            self.tokens.correct(taken.tokens, tokens)

    def over(self, retry_after_s: float | None, now: float) -> float:
        """The server says that it is over its limit; how long it is left alone."""
        self.refused += 1
        self.open = False
        self.slots.refused(now)
        wait = _RETRY_S if retry_after_s is None else retry_after_s
        self.blocked_until = max(self.blocked_until, now + min(wait, _BELIEVED_S))
        return wait

    def told(self, headers: Mapping[str, str], now: float) -> None:
        """Take what a server's answer says of its limits: OpenAI's and Anthropic's names, as others use them, too."""
        for told, kind in ((self._requests_told, "requests"), (self._tokens_told, "tokens")):
            left = headers.get(f"x-ratelimit-remaining-{kind}") or headers.get(f"anthropic-ratelimit-{kind}-remaining")
            if left is None:
                continue
            self._was_told, self.open = True, False
            reset = headers.get(f"x-ratelimit-reset-{kind}") or headers.get(f"anthropic-ratelimit-{kind}-reset")
            try:
                told.left, told.until = float(left), now + min(reset_s(reset or "1s"), _BELIEVED_S)
            except (ValueError, OverflowError):
                told.left, told.until = float("inf"), 0.0


def _requests(most: float, period_s: float) -> Requests:
    whole = max(1, int(most))
    return Requests(whole, period_s * whole / most)
