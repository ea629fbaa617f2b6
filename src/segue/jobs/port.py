"""The port of jobs: runs accepted for later in; each of them worked off once, by some worker process, out.

A job carries one run to its end. What is queued is a segment of it: "begin or go on with run X". Everything in here is
plain data, so that any engine can hold it. The engine owns when, where and how often a segment is tried; what the run
has come to is in its record and its checkpoints. `segue.jobs.dbos_engine` is the engine there is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Protocol

from segue.base.errors import SegueError
from segue.base.principal import LOCAL

JobState = Literal[
    "delayed", "queued", "running", "waiting", "held", "completed", "stopped", "failed", "cancelled", "refused", "dead"
]
"""`delayed`: not before a time; `waiting`: for a person, holding no slot; `held`: by the kill switch; `failed`: to be
tried again later; `refused`: whoever it runs for has no rights; `dead`: failed for good, on the dead-letter list."""
ENDED: frozenset[str] = frozenset({"completed", "stopped", "cancelled", "refused", "dead"})
"""The states that a job leaves only when a person tries it again."""

Rights = Callable[[str, str], Awaitable["Sequence[str] | None"]]
"""A user's current scopes: `(tenant, user) -> scopes`; `None` where there is no such user any more, or no rights."""

PRIORITY = 100
"""Of a job that names none; smaller goes first."""


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """One run to be done later. Everything in it can be written as JSON."""

    source: str
    """Where the agent is defined: `module:attr` or `file.py:attr`."""
    request: Any
    """Text, a message, or a list of messages."""
    agent: str = ""
    """The agent's name, where it is known already."""
    thread_id: str = ""
    """The conversation to go on with; empty for a new one, named like the run."""
    tenant: str = LOCAL.tenant
    user: str = LOCAL.user
    scopes: tuple[str, ...] | None = None
    """The user's rights; `None` for those that the user has each time a segment begins."""
    budget: dict[str, Any] = field(default_factory=dict)
    """As `Budget` takes it; empty for no limit."""
    tags: tuple[str, ...] = ()
    deps: str = ""
    """Where the run's `deps` are made: `module:function`; empty for none."""
    priority: int = PRIORITY
    """At least 1; smaller goes first."""
    max_attempts: int = 0
    """How often it is tried while it fails in ways that may pass; 0 for as the settings say."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """What is queued: begin a run, or go on with it."""

    id: str
    """Unique in its tenant: a second segment of the same id is not queued."""
    tenant: str
    run_id: str
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What people answered, by interrupt id, as `response_to_dict` writes it."""
    answered_by: str = ""
    answered_scopes: tuple[str, ...] = ()
    current_rights: bool = False
    """Whether the user's rights are looked up when it begins."""
    deps: str = ""
    number: int = 1
    """Which segment of its run it is; the highest one says where the job stands."""
    attempt: int = 1
    max_attempts: int = 0
    priority: int = PRIORITY
    schedule: str = ""
    """The schedule that fired it; empty for none."""
    resumed: bool = False
    """Whether a person asked to go on with a run that had ended."""
    budget: dict[str, Any] | None = None
    """In place of the run's; `None` leaves it."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data: what differs from the defaults."""
        held = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in held.items() if value != _DEFAULTS.get(name, _NONE)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Segment:
        """The inverse of `to_dict`; unknown keys, of a later version, are left out."""
        known = {each.name for each in fields(cls)}
        found = {name: value for name, value in data.items() if name in known}
        return cls(**{**found, "answered_scopes": tuple(found.get("answered_scopes", ()))})

    def next(self, why: str, **changes: Any) -> Segment:
        """The segment after this one; its id is made of `why` and of this one's, so that it is the same each time."""
        after = hashlib.sha256(self.id.encode()).hexdigest()[:8]
        return replace(self, id=f"{self.run_id}:{why}-{after}", number=self.number + 1, **changes)


_NONE = object()
_DEFAULTS: dict[str, Any] = {
    "answers": {}, "answered_by": "", "answered_scopes": (), "current_rights": False, "deps": "", "number": 1,
    "attempt": 1, "max_attempts": 0, "priority": PRIORITY, "schedule": "", "resumed": False, "budget": None,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a segment came to."""

    state: JobState
    reason: str = ""
    """Why it was not completed."""
    error_id: str = ""
    then: Segment | None = None
    """What is to be queued next."""
    delay_s: float = 0.0
    """Before that one may begin."""


@dataclass(frozen=True, kw_only=True)
class SegmentStatus:
    """A segment as the engine has it."""

    segment: Segment
    state: JobState
    """While it is not worked off: delayed, queued or running; then what its outcome says."""
    reason: str = ""
    error_id: str = ""
    worker: str = ""
    """Who has it, or had it last."""
    deliveries: int = 0
    """How often a worker began with it; more than 1 after crashes."""
    queued_at: float = 0.0
    """Seconds since 1970."""
    begun_at: float | None = None
    ended_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """A run on its way, or at its end."""

    id: str
    """Also the id of the run."""
    tenant: str
    state: JobState
    reason: str = ""
    error_id: str = ""
    agent: str = ""
    attempt: int = 1
    deliveries: int = 0
    """How often a worker began with its newest segment; more than 1 after crashes."""
    segments: int = 1
    worker: str = ""
    schedule: str = ""
    queued_at: float = 0.0
    """Of its newest segment, as the times below; seconds since 1970."""
    begun_at: float | None = None
    ended_at: float | None = None


class JobError(SegueError):
    """A job cannot be queued or worked off; says which and why."""


Work = Callable[[Segment], Awaitable[Outcome]]
"""Works off one segment. Cancelled, it stops what it does in order, and raises `CancelledError`."""


class Engine(Protocol):
    """What holds segments durably and hands each to one worker at a time.

    Raises:
        StoreError: From any of them: the engine's database cannot be reached.
    """

    async def put(self, segment: Segment, *, delay_s: float = 0.0) -> bool:
        """Queue a segment, durably when this is back; `False` where its id is there already."""
        ...

    async def cancel(self, tenant: str, ids: Sequence[str]) -> None:
        """Cancel segments: those that are queued never begin, those that run are told to stop; ended ones stay."""
        ...

    async def of_run(self, tenant: str, run_id: str) -> list[SegmentStatus]:
        """The segments of a run, newest first; empty where there are none."""
        ...

    async def newest(
        self, tenant: str | None, *, states: Sequence[JobState] = (), limit: int = 50
    ) -> list[SegmentStatus]:
        """The newest segments, newest first, of a tenant or of all; those in one of the states, if any is given."""
        ...

    async def forget(self, before: float) -> int:
        """Delete segments that ended before a time, in seconds since 1970; how many."""
        ...

    def work(self, work: Work, *, slots: int) -> AbstractAsyncContextManager[Working]:
        """Work segments off while inside, so many at a time."""
        ...


class Working(Protocol):
    """A worker at work."""

    @property
    def name(self) -> str:
        """Unique in time and space."""
        ...

    @property
    def lost(self) -> Awaitable[Any]:
        """Done when others may think that this worker is dead: it has to stop what it does at once."""
        ...

    def take(self, slots: int) -> None:
        """From now on, work off so many at a time; 0 takes nothing new."""
        ...

    def busy(self) -> Mapping[str, Segment]:
        """The segments that are being worked off, by id."""
        ...
