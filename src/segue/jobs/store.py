"""What jobs keep beside the queue: schedules, what was decided about their ticks, the kill switch, and what it holds.

Plain rows in a database of one's own or in PostgreSQL. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import orjson

from segue.base.errors import BadInput, names
from segue.jobs.port import JobRequest, Segment
from segue.jobs.schedules import Schedule
from segue.memory.database import Clash, Database

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS job_schedules (
        tenant TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, version INTEGER NOT NULL,
        upto DOUBLE PRECISION NOT NULL, next_at DOUBLE PRECISION, PRIMARY KEY (tenant, name))""",
    """CREATE TABLE IF NOT EXISTS job_firings (
        tenant TEXT NOT NULL, name TEXT NOT NULL, job_id TEXT NOT NULL, tick DOUBLE PRECISION NOT NULL,
        outcome TEXT NOT NULL, note TEXT NOT NULL, at DOUBLE PRECISION NOT NULL, PRIMARY KEY (tenant, job_id))""",
    "CREATE INDEX IF NOT EXISTS job_firings_open ON job_firings (tenant, name, outcome)",
    "CREATE INDEX IF NOT EXISTS job_firings_at ON job_firings (at)",
    """CREATE TABLE IF NOT EXISTS job_switches (
        scope TEXT NOT NULL PRIMARY KEY, who TEXT NOT NULL, reason TEXT NOT NULL, at DOUBLE PRECISION NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS job_held (
        tenant TEXT NOT NULL, run_id TEXT NOT NULL, body TEXT NOT NULL, at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (tenant, run_id))""",
)

FiringOutcome = Literal["fired", "pending", "done", "skipped", "refused", "missed"]
"""`fired`: its job is under way; `pending`: it waits for the one before; `done`: its job has ended; `missed`: ticks up
to this one were not made up for."""
EVERYTHING = "everything"
SCHEDULES = "schedules"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A schedule as it is kept."""

    schedule: Schedule
    version: int
    """Counts its changes."""
    upto: float
    """All ticks up to this instant are decided."""
    next_at: float | None
    """The next tick; `None` where there is none any more."""


@dataclass(frozen=True, kw_only=True)
class Firing:
    """What was decided about a tick."""

    tenant: str
    name: str
    job_id: str
    tick: float
    """Seconds since 1970."""
    outcome: FiringOutcome
    note: str = ""
    at: float = 0.0
    """When it was decided."""


@dataclass(frozen=True, kw_only=True)
class Switch:
    """A kill switch that is on."""

    scope: str
    """`everything`, `schedules`, or `tenant:NAME`."""
    who: str
    reason: str
    at: float


class JobStore:
    """The rows. Every method may raise `StoreError`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def open(self) -> None:
        """Make the tables where they are missing."""
        for statement in _SCHEMA:
            await self._db.execute(statement)

    async def add(self, schedule: Schedule, *, now: float) -> Kept:
        """Keep a new schedule; what fell due before now is no matter of it.

        Raises:
            BadInput: The tenant has one of this name.
        """
        kept = Kept(schedule=schedule, version=1, upto=now, next_at=schedule.next(now))
        try:
            await self._db.execute(
                "INSERT INTO job_schedules VALUES (?, ?, ?, ?, ?, ?)",
                (schedule.tenant, schedule.name, _body(schedule), 1, kept.upto, kept.next_at),
            )
        except Clash:
            raise BadInput(
                f"there is a schedule {schedule.name!r} already.", way_out="Change it, or take another name."
            ) from None
        return kept

    async def change(self, kept: Kept, schedule: Schedule, *, upto: float) -> Kept:
        """Keep a schedule as it is from now on.

        Raises:
            BadInput: Somebody else changed or deleted it meanwhile.
        """
        new = Kept(schedule=schedule, version=kept.version + 1, upto=upto, next_at=schedule.next(upto))
        rows = await self._db.execute(
            "UPDATE job_schedules SET body = ?, version = ?, upto = ?, next_at = ? "
            "WHERE tenant = ? AND name = ? AND version = ? RETURNING name",
            (_body(schedule), new.version, upto, new.next_at, schedule.tenant, schedule.name, kept.version),
        )
        if not rows:
            raise BadInput(f"schedule {schedule.name} was changed by somebody else meanwhile.", way_out="Try again.")
        return new

    async def advance(self, kept: Kept, *, upto: float) -> None:
        """All ticks up to this instant are decided now; passed over where the schedule was changed meanwhile."""
        following = None if kept.schedule.paused else kept.schedule.next(upto)
        await self._db.execute(
            "UPDATE job_schedules SET upto = ?, next_at = ? WHERE tenant = ? AND name = ? AND version = ?",
            (upto, following, kept.schedule.tenant, kept.schedule.name, kept.version),
        )

    async def remove(self, tenant: str, name: str) -> bool:
        """Delete a schedule and what was decided about it; whether there was one."""
        gone, _ = await self._db.transaction(
            [
                ("DELETE FROM job_schedules WHERE tenant = ? AND name = ? RETURNING name", (tenant, name)),
                ("DELETE FROM job_firings WHERE tenant = ? AND name = ? AND outcome != 'fired'", (tenant, name)),
            ]
        )
        return bool(gone)

    async def schedules(self, tenant: str | None, *, name: str = "") -> list[Kept]:
        """The schedules of a tenant, or of all, by name."""
        rows = await self._db.execute(
            "SELECT body, version, upto, next_at FROM job_schedules WHERE (? = '' OR tenant = ?) "
            "AND (? = '' OR name = ?) ORDER BY tenant, name",
            (tenant or "", tenant or "", name, name),
        )
        return [_kept(row) for row in rows]

    async def due(self, now: float) -> list[Kept]:
        """The schedules of which a tick has come."""
        rows = await self._db.execute(
            "SELECT body, version, upto, next_at FROM job_schedules WHERE next_at <= ? ORDER BY next_at", (now,)
        )
        return [_kept(row) for row in rows]

    async def note(self, firing: Firing) -> None:
        """Keep what was decided about a tick, in place of what was decided before."""
        await self._db.execute(
            "INSERT INTO job_firings VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, job_id) "
            "DO UPDATE SET outcome = excluded.outcome, note = excluded.note, at = excluded.at",
            (firing.tenant, firing.name, firing.job_id, firing.tick, firing.outcome, firing.note, firing.at),
        )

    async def firing(self, tenant: str, job_id: str) -> Firing | None:
        """What was decided about a tick; `None` where nothing was yet."""
        found = await self._firings("tenant = ? AND job_id = ?", (tenant, job_id), 1)
        return found[0] if found else None

    async def firings(
        self, tenant: str | None, *, name: str = "", outcomes: Sequence[FiringOutcome] = (), limit: int = 50
    ) -> list[Firing]:
        """The newest decisions, newest tick first."""
        wanted = tuple(outcomes) or get_args(FiringOutcome)
        where = f"(? = '' OR tenant = ?) AND (? = '' OR name = ?) AND outcome IN ({', '.join('?' for _ in wanted)})"
        return await self._firings(where, (tenant or "", tenant or "", name, name, *wanted), limit)

    async def _firings(self, where: str, values: tuple[Any, ...], limit: int) -> list[Firing]:
        rows = await self._db.execute(
            f"SELECT tenant, name, job_id, tick, outcome, note, at FROM job_firings WHERE {where} "
            "ORDER BY tick DESC, at DESC LIMIT ?",
            (*values, limit),
        )
        return [Firing(**dict(zip(Firing.__dataclass_fields__, row, strict=True))) for row in rows]

    async def forget(self, before: float) -> None:
        """Delete decisions that are older, but for firings that still wait for their turn."""
        await self._db.execute("DELETE FROM job_firings WHERE at < ? AND outcome != 'pending'", (before,))

    async def switch_on(self, switch: Switch) -> None:
        """Keep that a kill switch is on."""
        await self._db.execute(
            "INSERT INTO job_switches VALUES (?, ?, ?, ?) ON CONFLICT (scope) DO NOTHING",
            (switch.scope, switch.who, switch.reason, switch.at),
        )

    async def switch_off(self, scope: str) -> bool:
        """Keep that it is off; whether it was on."""
        return bool(await self._db.execute("DELETE FROM job_switches WHERE scope = ? RETURNING scope", (scope,)))

    async def switches(self) -> list[Switch]:
        """The kill switches that are on."""
        rows = await self._db.execute("SELECT scope, who, reason, at FROM job_switches ORDER BY scope")
        return [Switch(scope=scope, who=who, reason=reason, at=at) for scope, who, reason, at in rows]

    async def hold(self, segment: Segment, *, now: float) -> None:
        """Keep a segment that does not begin while a kill switch is on."""
        await self._db.execute(
            "INSERT INTO job_held VALUES (?, ?, ?, ?) ON CONFLICT (tenant, run_id) DO UPDATE SET body = excluded.body",
            (segment.tenant, segment.run_id, orjson.dumps(segment.to_dict()).decode(), now),
        )

    async def held(self, tenant: str | None = None, *, run_id: str = "") -> list[Segment]:
        """The segments that are held, oldest first."""
        rows = await self._db.execute(
            "SELECT body FROM job_held WHERE (? = '' OR tenant = ?) AND (? = '' OR run_id = ?) ORDER BY at",
            (tenant or "", tenant or "", run_id, run_id),
        )
        return [Segment.from_dict(orjson.loads(row[0])) for row in rows]

    async def let_go(self, segment: Segment) -> None:
        """A segment is not held any more."""
        await self._db.execute("DELETE FROM job_held WHERE tenant = ? AND run_id = ?", (segment.tenant, segment.run_id))


def scope_of(name: str) -> str:
    """The scope of a kill switch as people name it, checked.

    Raises:
        BadInput: There is no such scope.
    """
    if name in (EVERYTHING, SCHEDULES) or (name.startswith("tenant:") and len(name) > len("tenant:")):
        return name
    raise BadInput(f"there is no kill switch {name!r}; there are {names([EVERYTHING, SCHEDULES, 'tenant:NAME'])}")


def stops(switches: Sequence[Switch], tenant: str) -> Switch | None:
    """The kill switch that stops the jobs of a tenant; `None` where none does."""
    return next((each for each in switches if each.scope in (EVERYTHING, f"tenant:{tenant}")), None)


def _body(schedule: Schedule) -> str:
    return orjson.dumps(asdict(schedule)).decode()


def _kept(row: Sequence[Any]) -> Kept:
    body = orjson.loads(row[0])
    run = body.pop("run")
    request = JobRequest(**{**run, "tags": tuple(run["tags"]), "scopes": None})
    return Kept(schedule=Schedule(run=request, **body), version=row[1], upto=row[2], next_at=row[3])
