"""What the crash-point checker found: outcomes in, what differs from a run that nothing stopped out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from typing import Literal

from segue.testing.crash_play import Outcome

Stop = Literal["none", "crash", "cancel", "kill"]
Kind = Literal["duplicate", "lost", "late", "differs", "error"]
_SHOWN = 12


@dataclass(frozen=True)
class Problem:
    """One thing that went wrong after one stop."""

    kind: Kind
    """`duplicate`: an effect more often than it should be; `lost`: one that is not there; `late`: something went on
    after it was cancelled; `differs`: outcome, conversation or world is not what it is without a stop; `error`."""
    stop: Stop
    """How the scenario was stopped."""
    where: str
    """The boundary."""
    what: str

    def __str__(self) -> str:
        stopped = "without a stop" if self.stop == "none" else f"after a {self.stop} at {self.where}"
        return f"{self.kind} {stopped}: {self.what}"


@dataclass(kw_only=True)
class CrashReport:
    """What came of all stops."""

    points: int = 0
    """Boundaries of the scenario: awaits, checkpoints and writes."""
    states: int = 0
    """Different things that the disk held at these boundaries; a crash at any other boundary leaves one of them."""
    crashes: int = 0
    """Processes that ended at a boundary, and whose work was taken up by another one."""
    cancels: int = 0
    kills: int = 0
    """Processes that were killed by SIGKILL at an await."""
    fresh: bool = False
    """Whether those were interpreters of their own; else they were forked."""
    not_reached: int = 0
    """Boundaries that were meant and never came; nothing is known of them."""
    writes: int = 0
    """Effects of the scenario when nothing stops it."""
    asked: int = 0
    """How often a person was asked what came of an effect."""
    given_up: int = 0
    """How many of these they could not say: that effect is there or not, and the outcome may say so."""
    problems: list[Problem] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every stop was survived, and there was one."""
        return not self.problems and self.crashes + self.cancels + self.kills > 0

    @property
    def duplicates(self) -> int:
        """Effects that were there more often than they should be, over all stops."""
        return self._of("duplicate")

    @property
    def lost(self) -> int:
        """Effects that were not there at the end."""
        return self._of("lost")

    @property
    def late(self) -> int:
        """What went on after it was cancelled."""
        return self._of("late")

    def _of(self, kind: Kind) -> int:
        return sum(problem.kind == kind for problem in self.problems)

    def __str__(self) -> str:
        head = (
            f"{self.points} boundaries, {self.states} states of the disk; {self.crashes} crashes, {self.cancels} "
            f"cancels, {self.kills} kills ({'interpreters of their own' if self.fresh else 'forked'}), "
            f"{self.not_reached} boundaries not reached, in {self.took_s:.1f} s\n{self.writes} effects, "
            f"{self.duplicates} duplicates, {self.lost} lost, {self.asked} asked ({self.given_up} without an answer)"
        )
        if not self.problems:
            return head if self.ok else f"{head}\nnothing was stopped"
        kinds = ", ".join(f"{count} x {kind}" for kind, count in Counter(each.kind for each in self.problems).items())
        more = [f"… and {len(self.problems) - _SHOWN} more"] if len(self.problems) > _SHOWN else []
        return "\n".join([head, f"{len(self.problems)} problems: {kinds}", *map(str, self.problems[:_SHOWN]), *more])


def wanted_effects(whole: Outcome, expected: Collection[Hashable] | None) -> Counter[Hashable]:
    """How often each effect should be there: as the scenario says, else each that came, once."""
    return Counter(set(whole.effects)) if expected is None else Counter(expected)


def own_problems(whole: Outcome, wanted: Counter[Hashable]) -> list[Problem]:
    """What is wrong already where nothing was stopped."""
    found = _effects(whole, wanted, "none", "its end", may_miss=0)
    if whole.error:
        found.append(Problem("error", "none", "its end", whole.error))
    return found


def judged(outcome: Outcome, whole: Outcome, wanted: Counter[Hashable], stop: Stop, where: str) -> list[Problem]:
    """What is wrong after this stop, beside a run that nothing stopped and the effects that are wanted."""
    if outcome.error:
        return [Problem("error", stop, where, outcome.error)]
    half = stop == "cancel" and not outcome.resumed  # a run that was cancelled need not have done everything
    missing = wanted.total() if half else outcome.given_up
    found = _effects(outcome, wanted, stop, where, may_miss=missing)
    found += [Problem("late", stop, where, what) for what in outcome.late]
    if half or outcome.given_up or found:
        return found
    for name in ("turns", "messages", "ledger", "state") if stop != "cancel" else ("turns", "ledger", "state"):
        was, now = getattr(whole, name), getattr(outcome, name)
        if was != now:
            found.append(Problem("differs", stop, where, f"{name}: {_difference(was, now)}"))
    return found


def _effects(outcome: Outcome, wanted: Counter[Hashable], stop: Stop, where: str, *, may_miss: int) -> list[Problem]:
    held = Counter(outcome.effects)
    found = [Problem("duplicate", stop, where, repr(each)) for each in (held - wanted).elements()]
    missing = list((wanted - held).elements())
    if len(missing) > may_miss:
        found += [Problem("lost", stop, where, repr(each)) for each in missing]
    return found


def _difference(was: object, now: object) -> str:
    """The first place where they part."""
    if isinstance(was, list) and isinstance(now, list):
        for index, (one, other) in enumerate(zip(was, now, strict=False)):
            if one != other:
                return f"[{index}] {_difference(one, other)}"
        return f"{len(was)} without a stop, {len(now)} after it; more: {(was + now)[min(len(was), len(now))]!r:.300}"
    return f"{was!r:.300} without a stop, {now!r:.300} after it"
