"""When a deployment that fails is left alone, and when it is tried again.

In: how its requests ended, with the time. Out: whether it may have another one. A refused connection opens the breaker
at once; other failures do when they come twice in a row and are not rare, or are more than half of the last twenty. It
stays open for a second, then twice as long each time, up to half a minute; then one request may try, and its end
decides. A rate limit is no failure, and neither is what the request itself got wrong.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

FIRST_S = 1.0
MOST_S = 30.0
IN_A_ROW = 2
OFTEN = 0.3
"""Two failures in a row say nothing where fewer of the last ones failed than this."""
MANY = 5
"""So many in a row say it anyway."""
LAST = 20

State = Literal["closed", "open", "half-open"]


class Breaker:
    """One deployment's."""

    def __init__(self) -> None:
        self._ends: deque[bool] = deque(maxlen=LAST)
        self._row = 0
        self._opened = 0
        self.until: float | None = None
        """Until when it is open; `None` where it is closed."""
        self._trying = False

    def state(self, now: float) -> State:
        """`closed`: all may go there. `open`: none. `half-open`: one may try."""
        if self.until is None:
            return "closed"
        return "open" if now < self.until else "half-open"

    def allows(self, now: float) -> bool:
        """Whether a request may go there now."""
        return self.until is None or (now >= self.until and not self._trying)

    def opens_in_s(self, now: float) -> float:
        """How long until one may try; 0 where one may."""
        return 0.0 if self.until is None else max(0.0, self.until - now)

    def begin(self, now: float) -> bool:
        """A request goes there; true where it is the one that tries. What it comes to must be told."""
        if self.until is not None and now >= self.until and not self._trying:
            self._trying = True
            return True
        return False

    def went_well(self, now: float) -> None:
        """It answered: all may go there again, and what was before its breaker opened counts no more."""
        if self.until is not None:
            self._ends.clear()
        self._ends.append(True)
        self._row = self._opened = 0
        self.until, self._trying = None, False

    def failed(self, now: float, *, at_once: bool = False, factor: float = 1.0) -> None:
        """It failed; `at_once` where nothing of it was there. `factor` (0.5 to 1.5) spreads those who wait for it."""
        self._ends.append(False)
        self._row += 1
        bad = self._ends.count(False)
        in_a_row = self._row >= IN_A_ROW and (bad >= len(self._ends) * OFTEN or self._row >= MANY)
        if at_once or self._trying or in_a_row or (len(self._ends) == LAST and bad > LAST // 2):
            wait = min(MOST_S, FIRST_S * 2**self._opened) * factor
            if self.until is None or now >= self.until:
                self._opened = min(self._opened + 1, 10)
                self.until = now + wait
        self._trying = False

    def gave_up(self, tried: bool) -> None:
        """The request ended without saying anything of the deployment; `tried` is what `begin` said."""
        if tried:
            self._trying = False
