"""The sessions of a run: turn after turn, each when the one before was answered.

In: a plan, a workload, faults, a seed. Out: an `Outcome`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from segue.router.simulate.clock import VirtualClock
from segue.router.simulate.faults import Fault
from segue.router.simulate.fleet import Plan
from segue.router.simulate.memory import PIECE_TOKENS
from segue.router.simulate.request import Ended, Request
from segue.router.simulate.run import Router
from segue.router.simulate.workload import Pieces, Session, Workload


@dataclass(kw_only=True)
class Outcome:
    """What became of a workload on a fleet."""

    ended: list[tuple[Session, int, Ended]] = field(default_factory=list)
    """Each request that was sent, with its session and its turn, by its end."""
    given_up: int = 0
    """Requests that were never sent, since one before them in their session failed."""
    session_s: list[float] = field(default_factory=list)
    """How long each session took that came to its end."""
    duration_s: float = 0.0
    """Until the last request ended."""
    host_usd: float = 0.0
    """What the hosts cost in that time, whether they had work or not."""
    placed: dict[str, int] = field(default_factory=dict)
    """How many requests each host was asked for."""
    took_s: float = 0.0
    """How long the simulation itself took."""


class _Course:
    """One session while it lasts."""

    __slots__ = ("began", "chain", "session", "tokens", "turn")

    def __init__(self, session: Session, began: float, chain: Sequence[int], tokens: int) -> None:
        self.session = session
        self.began = began
        self.chain = chain
        """Of the conversation until now."""
        self.tokens = tokens
        self.turn = 0


class _Sessions:
    """All sessions of a run."""

    def __init__(self, router: Router, workload: Workload, outcome: Outcome) -> None:
        self._router = router
        self._clock = router.clock
        self._workload = workload
        self._outcome = outcome
        self._pieces = Pieces()
        self._begun_with = {each.begins_with for each in workload.sessions}
        self._latest: dict[str, Sequence[int]] = {}
        for session in workload.roots:
            self._clock.at(session.start_s, self._start, session)

    def _start(self, session: Session, told: Sequence[int] | None = None) -> None:
        """Begin, with the conversation of another one where it is given."""
        told = self._latest.get(session.begins_with) if told is None else told
        chain = self._pieces.of_group(session.group, session.group_tokens) if told is None else told
        if session.turns:
            self._next(_Course(session, self._clock.now, chain, len(chain) * PIECE_TOKENS))

    def _next(self, course: _Course) -> None:
        turn = course.session.turns[course.turn]
        self._clock.at(max(self._clock.now + turn.pause_s, turn.not_before_s), self._send, course)

    def _send(self, course: _Course) -> None:
        session, turn = course.session, course.session.turns[course.turn]
        shared = course.tokens if turn.shared_tokens is None else turn.shared_tokens
        kept = list(course.chain[: min(shared, turn.input_tokens) // PIECE_TOKENS])
        chain = tuple(self._pieces.longer(kept, turn.input_tokens))
        course.tokens = turn.input_tokens + turn.output_tokens
        course.chain = whole = tuple(self._pieces.longer(chain, course.tokens))
        asked = self._router.asked(chain, turn.input_tokens, session.name, session.group)
        request = Request(
            chain, whole, input_tokens=turn.input_tokens, output_tokens=max(1, turn.output_tokens),
            group=session.group, asked=asked, since=self._clock.now,
            ended=lambda _, ended: self._ended(course, ended),
        )  # fmt: skip
        self._router.send(request)

    def _ended(self, course: _Course, ended: Ended) -> None:
        session, turn = course.session, course.turn
        self._outcome.ended.append((session, turn, ended))
        self._outcome.duration_s = self._clock.now
        if not ended.answered:
            self._give_up(session, turn)
            return
        if session.name in self._begun_with:
            self._latest[session.name] = course.chain
        for child in self._workload.children.get((session.name, turn), ()):
            self._clock.at(self._clock.now + child.start_s, self._start, child, course.chain)
        course.turn += 1
        if course.turn < len(session.turns):
            self._next(course)
        else:
            self._outcome.session_s.append(self._clock.now - course.began)

    def _give_up(self, session: Session, turn: int) -> None:
        """What would have come after a request that failed is never asked."""
        self._outcome.given_up += len(session.turns) - turn - 1
        for at in range(turn, len(session.turns)):
            for child in self._workload.children.get((session.name, at), ()):
                self._give_up(child, -1)


def simulate(plan: Plan, workload: Workload, *, faults: Sequence[Fault] = (), seed: int = 0) -> Outcome:
    """Run a workload on a fleet, to the end of its last request."""
    began = time.perf_counter()
    clock, outcome = VirtualClock(), Outcome()
    router = Router(plan, clock, faults, seed)
    _Sessions(router, workload, outcome)
    clock.run()
    hours = outcome.duration_s / 3600
    outcome.host_usd = hours * sum(each.figures.usd_per_hour for each in plan.used.values())
    outcome.placed = {name: host.placed for name, host in router.fleet.hosts.items()}
    outcome.took_s = time.perf_counter() - began
    return outcome
