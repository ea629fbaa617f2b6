"""Planning: schedules made, changed, paused, run now and deleted; and the scheduler that fires what falls due.

What is due is decided in `segue.jobs.schedules`. One scheduler at a time decides, under a lock that dies with its
process; another takes over within a second. Since a firing's id follows from its schedule and its tick, whoever decides
it again after a crash queues nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from itertools import islice
from typing import Any

from segue.base.errors import BadInput, SegueError, names
from segue.base.principal import LOCAL
from segue.jobs.jobs import Jobs, NoRights
from segue.jobs.schedules import Schedule, due, firing_id, jitter_of
from segue.jobs.store import EVERYTHING, SCHEDULES, Firing, FiringOutcome, Kept
from segue.memory.locks import LockBusy

_log = logging.getLogger("segue.jobs")
_LOCK = "jobs/scheduler"
_POLL_S = 0.5
"""How late a schedule that was just made, and a firing that waits for its turn, can be seen."""
_STANDBY_S = 0.5
_HOUSEKEEPING_S = 3600.0
_DAY_S = 86_400.0


class Planning:
    """The schedules of a workspace's jobs."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs, self.store = jobs, jobs.store

    async def create(self, schedule: Schedule) -> Kept:
        """Keep a new schedule.

        Raises:
            BadInput: A value does not fit, the tenant has one of this name, its time has passed, or its owner has no
                rights.
        """
        schedule = await self._checked(schedule)
        if schedule.at is not None and schedule.at <= self._now():
            raise BadInput(f"schedule {schedule.name} is for one time, and that has passed")
        return await self.store.add(schedule, now=self._now())

    async def change(self, name: str, *, tenant: str = LOCAL.tenant, **changes: Any) -> Kept:
        """Change fields of a schedule, from now on. `run` is changed as a whole.

        Raises:
            BadInput: As `create`, or there is none of this name.
        """
        kept = await self.get(name, tenant=tenant)
        if unknown := changes.keys() - Schedule.__dataclass_fields__.keys() | changes.keys() & {"name"}:
            raise BadInput(f"a schedule's {names(unknown)} cannot be changed")
        return await self.store.change(kept, await self._checked(replace(kept.schedule, **changes)), upto=self._now())

    async def pause(self, name: str, *, tenant: str = LOCAL.tenant) -> Kept:
        """Fire nothing until it is resumed; what falls due meanwhile is not made up for."""
        return await self.change(name, tenant=tenant, paused=True)

    async def resume(self, name: str, *, tenant: str = LOCAL.tenant) -> Kept:
        """Fire again, from now on."""
        return await self.change(name, tenant=tenant, paused=False)

    async def delete(self, name: str, *, tenant: str = LOCAL.tenant) -> None:
        """Delete a schedule; jobs that it fired go on.

        Raises:
            BadInput: There is none of this name.
        """
        await self.get(name, tenant=tenant)
        await self.store.remove(tenant, name)

    async def get(self, name: str, *, tenant: str = LOCAL.tenant) -> Kept:
        """A schedule by its name.

        Raises:
            BadInput: There is none in this tenant.
        """
        found = await self.store.schedules(tenant, name=name)
        if not found:
            held = [each.schedule.name for each in await self.store.schedules(tenant)]
            raise BadInput(f"there is no schedule {name!r} here; there are: {names(held)}")
        return found[0]

    async def schedules(self, *, tenant: str = LOCAL.tenant) -> list[Kept]:
        """The schedules of a tenant, by name."""
        return await self.store.schedules(tenant)

    async def firings(self, name: str = "", *, tenant: str = LOCAL.tenant, limit: int = 50) -> list[Firing]:
        """What was decided about ticks, newest first."""
        return await self.store.firings(tenant, name=name, limit=limit)

    async def next_firings(self, name: str, *, tenant: str = LOCAL.tenant, count: int = 5) -> list[int]:
        """When it falls due next, in seconds since 1970; empty where it is paused."""
        kept = await self.get(name, tenant=tenant)
        return [] if kept.schedule.paused else list(islice(kept.schedule.after(max(kept.upto, self._now())), count))

    async def run_now(self, name: str, *, tenant: str = LOCAL.tenant) -> str:
        """Fire it once, now, whatever its overlap policy says; the job's id.

        Raises:
            BadInput: There is none of this name, or its owner has no rights.
        """
        schedule = (await self.get(name, tenant=tenant)).schedule
        job_id = firing_id(schedule, int(self._now()), by_hand=True)
        await self.jobs.enqueue(schedule.run, run_id=job_id, schedule=name)
        await self._note(schedule, job_id, self._now(), "fired", "by hand")
        return job_id

    async def step(self) -> float:
        """Decide all that is due now; seconds until there may be something again."""
        now = self._now()
        if any(each.scope in (EVERYTHING, SCHEDULES) for each in await self.store.switches()):
            for kept in await self.store.due(now):
                await self.store.advance(kept, upto=now)
            return _POLL_S
        for kept in await self.store.due(now):
            await self._decide(kept, now)
        await self._next_turns()
        soon = [each.next_at for each in await self.store.schedules(None) if each.next_at is not None]
        return max(0.01, min([_POLL_S, *(at - self._now() for at in soon)]))

    async def run(self) -> None:
        """Schedule for as long as this task lives; stand by while another process does."""
        while True:
            try:
                async with self.jobs.locks.hold(_LOCK, deadline=0) as held:
                    await self._lead(held.lost)
            except LockBusy:
                pass
            except SegueError as error:
                _log.warning("schedules cannot be looked after: %s", error)
            await asyncio.sleep(_STANDBY_S)

    async def _lead(self, lost: asyncio.Event) -> None:
        tidied = 0.0
        while not lost.is_set():
            pause = await self.step()
            if self._now() - tidied > _HOUSEKEEPING_S:
                await self._tidy()
                tidied = self._now()
            await asyncio.sleep(pause)

    async def _decide(self, kept: Kept, now: float) -> None:
        schedule = kept.schedule
        found = due(schedule, upto=kept.upto, now=now)
        for tick in found.ticks:
            await self._fire(schedule, tick)
        if found.missed:
            job_id = f"missed-{schedule.name}-{int(now)}"
            await self._note(schedule, job_id, now, "missed", "nobody was there to fire what was due before")
        await self.store.advance(kept, upto=now)

    async def _fire(self, schedule: Schedule, tick: int) -> None:
        job_id = firing_id(schedule, tick)
        if await self.store.firing(schedule.tenant, job_id) is not None:
            return
        going = await self._going(schedule)
        if going and schedule.overlap == "skip":
            await self._note(schedule, job_id, tick, "skipped", f"{going[0]} still goes on")
        elif schedule.overlap == "queue" and (going or await self._pending(schedule)):
            await self._note(schedule, job_id, tick, "pending", f"after {going[0] if going else 'others'}")
        else:
            for each in going if schedule.overlap == "cancel" else ():
                await self.jobs.cancel(each, tenant=schedule.tenant)
            await self._begin(schedule, job_id, tick)

    async def _begin(self, schedule: Schedule, job_id: str, tick: float) -> None:
        try:
            await self.jobs.enqueue(
                schedule.run, run_id=job_id, delay_s=jitter_of(schedule, job_id), schedule=schedule.name
            )
        except NoRights as error:
            self._tell(schedule, job_id, str(error))
            await self._note(schedule, job_id, tick, "refused", str(error))
        else:
            await self._note(schedule, job_id, tick, "fired", "")

    async def _next_turns(self) -> None:
        """Firings that waited for the one before, where that has ended."""
        waiting = await self.store.firings(None, outcomes=["pending"], limit=1000)
        heads = {(each.tenant, each.name): each for each in waiting}  # newest first: the oldest stays
        for (tenant, name), firing in heads.items():
            kept = await self.store.schedules(tenant, name=name)
            if kept and not await self._going(kept[0].schedule):
                await self._begin(kept[0].schedule, firing.job_id, firing.tick)

    async def _going(self, schedule: Schedule) -> list[str]:
        """The jobs of a schedule that have not ended; a run that waits for a person goes on, too."""
        fired = await self.store.firings(schedule.tenant, name=schedule.name, outcomes=["fired"], limit=1000)
        if not fired or schedule.overlap == "allow":
            return []
        ended = await self.jobs.ended(schedule.tenant, [each.job_id for each in fired])
        for each in fired:
            if each.job_id in ended:
                await self.store.note(replace(each, outcome="done", at=self._now()))
        return [each.job_id for each in fired if each.job_id not in ended]

    async def _pending(self, schedule: Schedule) -> bool:
        return bool(await self.store.firings(schedule.tenant, name=schedule.name, outcomes=["pending"], limit=1))

    async def _tidy(self) -> None:
        """Forget what is old, and queue what a crash left held after its kill switch was off."""
        before = self._now() - self.jobs.settings.keep_days * _DAY_S
        await self.store.forget(before)
        await self.jobs.engine.forget(before)
        await self.jobs.release()

    async def _checked(self, schedule: Schedule) -> Schedule:
        found = schedule.checked()
        if await self.jobs.rights(found.tenant, found.run.user) is None:
            raise NoRights(found.tenant, found.run.user)
        return replace(found, run=replace(found.run, scopes=None))

    async def _note(self, schedule: Schedule, job_id: str, tick: float, outcome: FiringOutcome, note: str) -> None:
        await self.store.note(
            Firing(
                tenant=schedule.tenant, name=schedule.name, job_id=job_id, tick=tick, outcome=outcome, note=note,
                at=self._now(),
            )
        )  # fmt: skip

    def _tell(self, schedule: Schedule, job_id: str, why: str) -> None:
        if (notifier := self.jobs.ws.services.notifier) is not None:
            title = f"schedule {schedule.name} was not fired: {why}"
            notifier.notify("error", title, {"kind": "refused", "run_id": job_id, "error": why})

    def _now(self) -> float:
        return self.jobs.ws.services.clock.now()
