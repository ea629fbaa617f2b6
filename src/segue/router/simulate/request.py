"""A request of a simulation, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from segue.router.placing.host import Asked


class Request:
    """One request of a session, while it lasts and after."""

    __slots__ = (
        "again", "asked", "attempts", "chain", "ended", "group", "input_tokens", "made", "output_tokens", "since",
        "tried", "whole",
    )  # fmt: skip

    def __init__(
        self,
        chain: Sequence[int],
        whole: Sequence[int],
        *,
        input_tokens: int,
        output_tokens: int,
        group: str,
        asked: Asked,
        since: float,
        ended: Callable[[Request, Ended], None],
    ) -> None:
        """`asked` is what the router knows of it; `ended` is told what became of it."""
        self.chain = chain
        self.whole = whole
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.group = group
        self.asked = asked
        self.since = since
        self.ended = ended
        self.attempts = 0
        self.tried: set[str] = set()
        self.again: set[str] = set()
        """Those that failed in a way that may pass, and are asked once more at the end."""
        self.made: set[str] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of a request."""

    answered: bool
    started_s: float
    first_token_s: float = 0.0
    """From its start, failed attempts included."""
    whole_s: float
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cost_usd: float | None = 0.0
    host: str
    attempts: int
