"""One request at one server of a simulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from segue.router.simulate.figures import HostFigures

State = Literal["waiting", "reading", "writing", "ended"]


class Job:
    """A request, and whom its server tells of it."""

    __slots__ = ("answer_blocks", "cached_tokens", "chain", "done", "first", "input_tokens", "left", "number",
                 "output_tokens", "state", "whole")  # fmt: skip

    def __init__(
        self,
        number: int,
        chain: Sequence[int],
        whole: Sequence[int],
        *,
        input_tokens: int,
        output_tokens: int,
        first: Callable[[Job], None],
        done: Callable[[Job], None],
    ) -> None:
        """`chain` is its conversation, `whole` that with its answer; `first` and `done` are told of its progress."""
        self.number = number
        self.chain = chain
        self.whole = whole
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.first = first
        self.done = done
        self.state: State = "waiting"
        self.cached_tokens = 0
        """Of its input, those that the server held; known once it begins to read."""
        self.left = input_tokens
        """Tokens still to be read."""
        self.answer_blocks = 0


class SimulatedHost(Protocol):
    """A server in virtual time."""

    figures: HostFigures
    alive: bool
    hung: bool

    @property
    def running(self) -> int:
        """Requests in its batch."""
        ...

    @property
    def waiting(self) -> int:
        """Requests in its queue."""
        ...

    def submit(self, job: Job) -> None:
        """A request has come."""
        ...

    def cancel(self, job: Job) -> None:
        """Whoever sent it has hung up."""
        ...

    def crash(self) -> list[Job]:
        """It is gone with all that it held; the requests that it had."""
        ...

    def revive(self) -> None:
        """It is there again, and holds nothing."""
        ...

    def hang(self) -> None:
        """It does nothing from now on, and refuses nothing."""
        ...

    def go_on(self) -> None:
        """It hangs no more."""
        ...

    def slow(self, factor: float) -> None:
        """From now on it is so fast, of what it was at first."""
        ...
