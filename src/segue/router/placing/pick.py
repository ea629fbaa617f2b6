"""What a policy decided, and the words for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from segue.router.placing.host import Asked, Host


class Pick:
    """The host that a request goes to."""

    __slots__ = ("_words", "first_token_s", "held", "host")

    def __init__(
        self,
        host: Host,
        words: str | Callable[[], str],
        first_token_s: float = 0.0,
        held: float | None = None,
    ) -> None:
        """Say why, as the end of a sentence, and when the first token should come: 0 where nobody foresaw it.

        `held` is how many tokens of the request the host should hold; `None` where nobody looked.
        """
        self.host = host
        self.first_token_s = first_token_s
        self.held = held
        self._words = words

    @property
    def why(self) -> str:
        """Why it is that one, as the end of a sentence."""
        return self._words if isinstance(self._words, str) else self._words()


class Policy(Protocol):
    """Chooses among hosts."""

    def choose(self, asked: Asked, hosts: Sequence[Host], now: float) -> Pick:
        """One of the hosts; there is at least one. `now` is a reading of a monotonic clock, in seconds."""
        ...
