"""Whether an engine hangs: one reading of its metrics after the other in, whether it has stood still too long out.

A hung engine (a stuck GPU, a stopped worker) answers `/health` with 200 all the time. What gives it away is that it has
work to do and that its token counters do not move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segue.router.vllm_servers.metrics import VllmMetrics

STILL_S = 20.0
"""A long prompt moves no counter while it is read; give more time where that takes longer."""


class HangWatch:
    """Watches one server. Not for several servers, nor for several loops at once."""

    def __init__(self, *, still_s: float = STILL_S) -> None:
        """`still_s` is how long a server with work may stand still before it counts as hung."""
        self._still_s = still_s
        self._tokens: tuple[int, int] | None = None
        self._since = 0.0
        self._seen_at = 0.0

    def see(self, metrics: VllmMetrics, *, now: float, in_flight: int = 0) -> bool:
        """Take a reading; whether the engine hangs.

        `now` is a reading of a monotonic clock, `in_flight` how many requests of our own are waiting for it: an engine
        that stopped while it was idle never gets to say that it has work. A server that sleeps does not hang.
        """
        tokens = (metrics.generation_tokens, metrics.prompt_tokens)
        has_work = (metrics.running or metrics.waiting or in_flight) and not metrics.asleep
        if tokens != self._tokens or not has_work:
            self._tokens, self._since = tokens, now
        self._seen_at = now
        return self.hangs

    @property
    def still_for_s(self) -> float:
        """For how long, at the last reading, it had had work and had not moved."""
        return self._seen_at - self._since

    @property
    def hangs(self) -> bool:
        """What the last reading said."""
        return self._tokens is not None and self.still_for_s >= self._still_s
