"""Schedules: when an agent runs by itself, and what is due of it at a moment.

In: a schedule, up to where it was decided, and the time. Out: the ticks to fire now. Nothing here reads a clock or a
store, so that a test hands in any time. How a tick becomes a job is in `segue.jobs.firing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice, takewhile
from typing import Literal, get_args

from segue.base.errors import BadInput, names
from segue.base.principal import LOCAL
from segue.jobs.cron import Cron, zone
from segue.jobs.port import JobRequest

Overlap = Literal["skip", "queue", "cancel", "allow"]
"""What to do while an earlier firing still goes on, or waits for a person: leave the new one out, let it wait for its
turn, cancel the earlier one, or run both."""
CatchUp = Literal["none", "last", "all"]
"""What to do about ticks that nobody was there to fire: nothing, fire the latest of what is due, or fire the newest
ones up to a cap."""

ON_TIME_S = 60
"""A tick that is decided within this is late at most, and not missed: catch-up is no matter for it."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}$")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A run that starts by itself, at times of its own."""

    name: str
    """Unique in its tenant."""
    run: JobRequest
    """What each firing runs, for whom, and within which budget. Its rights are looked up at each firing."""
    cron: str = ""
    """When; empty for one time only."""
    at: float | None = None
    """The one time, in seconds since 1970; `None` for a cron schedule."""
    timezone: str = "UTC"
    overlap: Overlap = "skip"
    catch_up: CatchUp = "last"
    catch_up_cap: int = 10
    """How many missed ticks `all` fires at most."""
    jitter_s: float = 0.0
    """Each firing starts up to so many seconds late, always by as many for the same tick; 0 for none."""
    paused: bool = False

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return self.run.tenant

    def checked(self) -> Schedule:
        """The same, if it can work.

        Raises:
            BadInput: A value does not fit; the message says which, and what would.
        """
        if not _NAME.match(self.name):
            raise BadInput(f"{self.name!r} is no name of a schedule; it has 1 to 63 of a-z, 0-9, - and _")
        if bool(self.cron) == (self.at is not None):
            raise BadInput(f"schedule {self.name} has either a cron expression or one time, not both or neither")
        if self.overlap not in get_args(Overlap):
            raise BadInput(f"{self.overlap!r} is no overlap policy; there are {names(get_args(Overlap))}")
        if self.catch_up not in get_args(CatchUp):
            raise BadInput(f"{self.catch_up!r} is no catch-up policy; there are {names(get_args(CatchUp))}")
        if self.catch_up_cap < 1 or self.jitter_s < 0:
            raise BadInput(f"schedule {self.name}: catch_up_cap is at least 1, and jitter_s at least 0")
        zone(self.timezone)
        return replace(self, cron=Cron.parse(self.cron, self.timezone).expression) if self.cron else self

    def after(self, instant: float) -> Iterator[int]:
        """Its ticks after an instant, in their order."""
        if self.at is not None:
            return iter([int(self.at)] if int(self.at) > instant else [])
        return Cron(self.cron, self.timezone).after(instant)

    def before(self, instant: float) -> Iterator[int]:
        """Its ticks up to an instant, newest first."""
        if self.at is not None:
            return iter([int(self.at)] if int(self.at) <= instant else [])
        return Cron(self.cron, self.timezone).before(instant)

    def next(self, instant: float) -> int | None:
        """The tick after an instant; `None` where there is none any more."""
        return next(self.after(instant), None)


@dataclass(frozen=True)
class Due:
    """What is to be done about a schedule now."""

    ticks: tuple[int, ...]
    """To be fired, oldest first."""
    missed: bool
    """Whether some ticks were missed and are not made up for."""


def due(schedule: Schedule, *, upto: float, now: float) -> Due:
    """The ticks after `upto`, where the schedule was decided last, that are to be fired at `now`.

    What was due within the last `ON_TIME_S` is fired in any case. What is older was missed: the schedule's catch-up
    policy decides. A single time is always fired, however late.
    """
    if schedule.paused or now < upto:
        return Due((), missed=False)
    if schedule.at is not None:
        return Due(tuple(schedule.before(now)) if upto < int(schedule.at) else (), missed=False)
    newest = takewhile(lambda tick: tick > upto, schedule.before(now))
    on_time, older = [], None
    for tick in newest:
        if now - tick > ON_TIME_S:
            older = tick
            break
        on_time.append(tick)
    if older is None:
        return Due(tuple(reversed(on_time)), missed=False)
    made_up = _made_up(schedule, older, newest, bool(on_time))
    left = next(newest, None) is not None or not made_up
    return Due(tuple(reversed([*on_time, *made_up])), missed=left)


def _made_up(schedule: Schedule, newest: int, older: Iterator[int], some_on_time: bool) -> list[int]:
    """Of the missed ticks those to fire all the same, newest first."""
    if schedule.catch_up == "none" or (schedule.catch_up == "last" and some_on_time):
        return []
    if schedule.catch_up == "last":
        return [newest]
    return [newest, *islice(older, schedule.catch_up_cap - 1)]


def firing_id(schedule: Schedule, tick: int, *, by_hand: bool = False) -> str:
    """The id of the job, and of the run, of one firing: the same wherever and however often it is worked out."""
    at = f"{datetime.fromtimestamp(tick, UTC):%Y%m%dT%H%M%SZ}"
    held = "" if schedule.tenant == LOCAL.tenant else f"-{sha256(schedule.tenant.encode()).hexdigest()[:8]}"
    return f"sched-{schedule.name}-{'now-' if by_hand else ''}{at}{held}"


def jitter_of(schedule: Schedule, job_id: str) -> float:
    """Seconds by which this firing starts later."""
    return schedule.jitter_s * int.from_bytes(sha256(job_id.encode()).digest()[:4]) / 2**32
