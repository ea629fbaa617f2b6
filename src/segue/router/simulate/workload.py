"""A workload: sessions, and the turns that their requests come by.

In: what a file, the traces or a seed say. Out: `Session`s, the same for every fleet and policy that is tried on them.
A turn's request goes out when the turn before it was answered and its pause is over, as an agent's does that waits for
its tools; so a slow fleet is asked later, not less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from segue.router.simulate.memory import PIECE_TOKENS


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One request and its answer."""

    input_tokens: int
    """All of the conversation."""
    output_tokens: int
    shared_tokens: int | None = None
    """Of the input, tokens at its start that stood in the turn before, its answer counted in; `None`: all of that."""
    pause_s: float = 0.0
    """From the answer of the turn before; of the first turn, from the session's start."""
    not_before_s: float = 0.0
    """It does not go out earlier than that."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """One conversation: an agent on a thread."""

    name: str
    start_s: float
    turns: Sequence[Turn]
    group: str = ""
    """Sessions of a group begin with the same text: the instructions and tools of an agent."""
    group_tokens: int = 0
    """How much of it they share."""
    after: tuple[str, int] | None = None
    """A session and a turn (from 0) of it after whose answer this one starts; `start_s` is then counted from there.
    It begins with that conversation."""
    begins_with: str = ""
    """A session with whose conversation this one begins, as it stands then; `start_s` is by the clock."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """All sessions."""

    sessions: Sequence[Session]
    told: str
    """Where they are from, in a few words."""
    children: dict[tuple[str, int], list[Session]] = field(default_factory=dict, compare=False)
    """Those that start after a turn of another."""

    def __post_init__(self) -> None:
        for each in self.sessions:
            if each.after is not None:
                self.children.setdefault(each.after, []).append(each)

    @property
    def requests(self) -> int:
        """How many there are."""
        return sum(len(each.turns) for each in self.sessions)

    @property
    def last_start_s(self) -> float:
        """When the last one starts by the clock."""
        return max((each.start_s for each in self.roots), default=0.0)

    @property
    def roots(self) -> Iterator[Session]:
        """Those that start by the clock."""
        return (each for each in self.sessions if each.after is None)


class Pieces:
    """Numbers for pieces of conversations: a number stands for its piece and all before it."""

    def __init__(self) -> None:
        self._next = 0
        self._groups: dict[str, list[int]] = {}

    def of_group(self, group: str, tokens: int) -> list[int]:
        """The beginning that a group shares."""
        held = self._groups.setdefault(group, [])
        self._grow(held, tokens)
        return held[: tokens // PIECE_TOKENS]

    def longer(self, chain: Iterable[int], tokens: int) -> list[int]:
        """A chain that goes on to so many tokens with pieces that nobody else has."""
        held = list(chain)
        self._grow(held, tokens)
        return held

    def _grow(self, held: list[int], tokens: int) -> None:
        more = tokens // PIECE_TOKENS - len(held)
        if more > 0:
            held.extend(range(self._next, self._next + more))
            self._next += more
