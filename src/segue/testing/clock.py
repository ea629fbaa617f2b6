"""A clock that stands still until a test moves it."""

from __future__ import annotations


class FakeClock:
    """Both times start at what is given and move only by `advance`."""

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both times on."""
        self._now += seconds
        self._monotonic += seconds
