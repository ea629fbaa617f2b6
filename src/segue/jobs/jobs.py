"""Jobs: runs accepted for later, found, cancelled, answered and tried again; the face that the server and the CLI use.

A job has the id of its run. What it has come to is told by its newest segment in the engine and by the record of its
run; nothing of it is kept twice. Schedules are in `segue.jobs.planning`, workers in `segue.jobs.worker`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from segue.agents.run import RunRecord
from segue.base.budget import Budget
from segue.base.errors import BadInput, names
from segue.base.ids import new_id
from segue.base.principal import LOCAL, Principal
from segue.context.decisions import Response, response_to_dict
from segue.jobs.port import ENDED, Engine, Job, JobRequest, JobState, Rights, Segment, SegmentStatus
from segue.jobs.running import with_answers
from segue.jobs.store import JobStore, Switch, scope_of, stops
from segue.memory.locks import Locks
from segue.workspace.answering import answers_for
from segue.workspace.sections import JobsSection
from segue.workspace.workspace import Workspace

_UNDER_WAY: frozenset[str] = frozenset({"delayed", "queued", "running"})


class Jobs:
    """The jobs of a workspace. Made by `open_jobs`."""

    def __init__(
        self, ws: Workspace, engine: Engine, store: JobStore, *, settings: JobsSection, rights: Rights, locks: Locks
    ) -> None:
        self.ws, self.engine, self.store = ws, engine, store
        self.settings, self.rights, self.locks = settings, rights, locks

    async def enqueue(
        self, run: JobRequest, *, run_id: str | None = None, delay_s: float = 0.0, schedule: str = ""
    ) -> str:
        """Accept a run: it ends, whatever becomes of this process, once this is back.

        Args:
            run: What to run, for whom.
            run_id: The run's and the job's id; the same again is the same job, and changes nothing. `None` makes one.
            delay_s: Before it may begin.
            schedule: The schedule that fires it.

        Returns:
            The job's id.

        Raises:
            BadInput: The request is no message, the budget is none, or its user has no rights.
            StoreError: It cannot be kept; it was not accepted then.
        """
        if run.priority < 1:
            raise BadInput(f"a job's priority is at least 1 (smaller goes first), not {run.priority}")
        scopes = await self.rights(run.tenant, run.user) if run.scopes is None else run.scopes
        if scopes is None:
            raise NoRights(run.tenant, run.user)
        record = self.ws.accept(
            run.request, run_id=run_id or new_id("run"), source=run.source, agent=run.agent,
            thread_id=run.thread_id or None, principal=Principal(run.tenant, run.user, scopes),
            budget=Budget(**run.budget), tags=run.tags,
        )  # fmt: skip
        segment = Segment(
            id=record.run_id, tenant=run.tenant, run_id=record.run_id, current_rights=run.scopes is None,
            deps=run.deps, max_attempts=run.max_attempts, priority=run.priority, schedule=schedule,
        )  # fmt: skip
        await self.engine.put(segment, delay_s=delay_s)
        return record.run_id

    async def get(self, job_id: str, *, tenant: str = LOCAL.tenant) -> Job:
        """A job by its id.

        Raises:
            BadInput: There is none in this tenant.
        """
        return self._job((await self._segments(tenant, job_id))[0])

    async def newest(
        self, *, tenant: str = LOCAL.tenant, states: Sequence[JobState] = (), limit: int = 50
    ) -> list[Job]:
        """The newest jobs of a tenant, newest first; only those in one of the states, if any is given."""
        found: dict[str, Job] = {}
        for status in await self.engine.newest(tenant, limit=max(4 * limit, 200)):
            run_id = status.segment.run_id
            if run_id not in found or status.segment.number > found[run_id].segments:
                found[run_id] = self._job(status)
        return [job for job in found.values() if not states or job.state in states][:limit]

    async def dead(self, *, tenant: str = LOCAL.tenant, limit: int = 50) -> list[Job]:
        """The dead-letter list: jobs that failed for good, and were not tried again since; newest first."""
        return await self._still("dead", tenant, limit)

    async def cancel(self, job_id: str, *, tenant: str = LOCAL.tenant) -> Job:
        """Cancel a job: one that is queued never begins, one that runs or waits stops in order; an ended one stays.

        Raises:
            BadInput: There is none in this tenant.
        """
        segments = await self._segments(tenant, job_id)
        await self.engine.cancel(tenant, [each.segment.id for each in segments if each.state in _UNDER_WAY])
        held = await self.store.held(tenant, run_id=job_id)
        for segment in held:
            await self.store.let_go(segment)
        running = any(each.state == "running" for each in segments)
        record = self.ws.records.get(tenant, job_id)
        if record is not None and not running and (held or record.status not in ("completed", "stopped")):
            record.status, record.stop_reason, record.interrupts = "stopped", "cancelled", []
            await self.ws.records.keep(record)
        return await self.get(job_id, tenant=tenant)

    async def retry(self, job_id: str, *, tenant: str = LOCAL.tenant, budget: Budget | None = None) -> Job:
        """Try a job once more that is dead, failed, refused, stopped or cancelled: it goes on from where it was.

        Args:
            job_id: Its id.
            tenant: Whose it is.
            budget: In place of the one that it had; needed where that one is spent.

        Raises:
            BadInput: There is none in this tenant, or it is completed or under way.
        """
        segments = await self._segments(tenant, job_id)
        job = self._job(segments[0])
        if job.state not in ENDED - {"completed"}:
            raise BadInput(
                f"job {job_id} cannot be tried again: it is {job.state}.",
                way_out="Answer it." if job.state == "waiting" else "",
            )
        last = segments[0].segment
        again = last.next(
            "retry", attempt=1, resumed=True,
            budget=None if budget is None else budget.to_dict(),
        )  # fmt: skip
        await self.engine.put(again)
        return await self.get(job_id, tenant=tenant)

    async def answer(self, job_id: str, answers: Mapping[str, Response], *, principal: Principal = LOCAL) -> Job:
        """Answer what a job waits for; it is queued to go on, once, however often this is called with the same.

        Args:
            job_id: Its id.
            answers: A response for each interrupt, by its id; some or all of them.
            principal: Who answers, in whose tenant.

        Raises:
            BadInput: There is none in this tenant, it does not wait, or an answer cannot be given: it names no
                interrupt of it, does not fit, came too late, was given already by another one, or its giver lacks a
                scope.
        """
        segments = await self._segments(principal.tenant, job_id)
        record = self._record(principal.tenant, job_id)
        given = {key: response_to_dict(each) for key, each in answers.items()}
        last = segments[0].segment
        segment = with_answers(last, given, by=principal, number=last.number + 1)
        if (same := next((each for each in segments if each.segment.id == segment.id), None)) is not None:
            if same.segment.answers != given:
                raise BadInput(f"job {job_id}: {names(answers)} was answered already, and otherwise.")
            return self._job(segments[0])
        answers_for(record, answers, principal, now=self.ws.services.clock.now(), budget=None)
        await self.engine.put(segment)
        return await self.get(job_id, tenant=principal.tenant)

    async def kill(self, scope: str, *, reason: str = "", who: str = LOCAL.user) -> Switch:
        """Switch the kill switch of a scope on: `everything`, `schedules`, or `tenant:NAME`.

        Nothing of the scope begins from now on, and what runs is stopped where it stands by its worker, within a
        second or so. All of it is held, over restarts, until `revive`; what falls due of schedules is left out.

        Raises:
            BadInput: There is no such scope.
        """
        switch = Switch(scope=scope_of(scope), who=who, reason=reason, at=self.ws.services.clock.now())
        await self.store.switch_on(switch)
        return switch

    async def revive(self, scope: str) -> int:
        """Switch it off; what is held goes on. Cancel before what should not.

        Returns:
            How many jobs go on.

        Raises:
            BadInput: There is no such scope, or its kill switch is not on.
        """
        if not await self.store.switch_off(scope_of(scope)):
            on = [each.scope for each in await self.store.switches()]
            raise BadInput(f"the kill switch {scope!r} is not on; on are: {names(on)}")
        return await self.release()

    async def release(self) -> int:
        """Queue what is held and no kill switch stops any more; how many."""
        switches = await self.store.switches()
        free = [each for each in await self.store.held() if not stops(switches, each.tenant)]
        for segment in free:
            await self.engine.put(segment)
            await self.store.let_go(segment)
        return len(free)

    async def switches(self) -> list[Switch]:
        """The kill switches that are on."""
        return await self.store.switches()

    async def ended(self, tenant: str, job_ids: Iterable[str]) -> set[str]:
        """Of these jobs those that have ended, or are not there any more."""
        found = set()
        for job_id in job_ids:
            segments = await self.engine.of_run(tenant, job_id)
            if not segments or self._job(segments[0]).state in ENDED:
                found.add(job_id)
        return found

    async def cancelled(self, segment: Segment) -> bool:
        """Whether somebody cancelled this very segment."""
        segments = await self.engine.of_run(segment.tenant, segment.run_id)
        return any(each.segment.id == segment.id and each.state == "cancelled" for each in segments)

    async def _still(self, state: JobState, tenant: str, limit: int) -> list[Job]:
        """The jobs whose newest segment is in a state."""
        found = []
        for status in await self.engine.newest(tenant, states=[state], limit=limit):
            newest = (await self.engine.of_run(tenant, status.segment.run_id))[0]
            if newest.segment.id == status.segment.id and (job := self._job(status)).state == state:
                found.append(job)
        return found

    async def _segments(self, tenant: str, job_id: str) -> list[SegmentStatus]:
        found = await self.engine.of_run(tenant, job_id)
        if not found:
            held = [job.id for job in await self.newest(tenant=tenant, limit=3)]
            raise BadInput(f"there is no job {job_id!r} here; the newest are: {names(held)}")
        return found

    def _record(self, tenant: str, run_id: str) -> RunRecord:
        found = self.ws.records.get(tenant, run_id)
        if found is None:
            raise BadInput(f"there is no record of run {run_id!r} here")
        return found

    def _job(self, status: SegmentStatus) -> Job:
        """The job as its newest segment and the record of its run tell."""
        segment = status.segment
        record = self.ws.records.get(segment.tenant, segment.run_id)
        state, reason = _stands(status, record)
        return Job(
            id=segment.run_id, tenant=segment.tenant, state=state, reason=reason, error_id=status.error_id,
            attempt=segment.attempt, deliveries=status.deliveries, segments=segment.number, worker=status.worker,
            schedule=segment.schedule, agent=record.agent or record.source if record else "",
            queued_at=status.queued_at, begun_at=status.begun_at, ended_at=status.ended_at,
        )  # fmt: skip


class NoRights(BadInput):
    """Whoever a job is for has no rights, or is not there any more."""

    def __init__(self, tenant: str, user: str) -> None:
        super().__init__(
            f"{user} of {tenant} has no rights here, so nothing can be run for them.",
            way_out="Name an owner who has: [jobs.owners] in segue.toml, or the server's keys.",
        )


def _stands(status: SegmentStatus, record: RunRecord | None) -> tuple[JobState, str]:
    """A run can go on beside the queue, by `segue resume`: once a segment has ended, the record knows better."""
    if record is None or status.state in _UNDER_WAY:
        return status.state, status.reason
    match record.status:
        case "completed":
            return "completed", ""
        case "waiting" if status.state not in ("dead", "refused"):
            return "waiting", ", ".join(each["id"] for each in record.interrupts if each["id"] not in record.answers)
        case "stopped" if status.state in ("completed", "waiting", "failed"):
            state: JobState = "cancelled" if record.stop_reason == "cancelled" else "stopped"
            return state, record.error or str(record.stop_reason)
        case "stopped" if status.state == "held" and record.stop_reason == "cancelled":
            return "cancelled", ""
        case _:
            return status.state, status.reason


def named_like(run: JobRequest, agent: Any) -> JobRequest:
    """The request with the name and the source of its agent, which is loaded: so that nobody queues what is not there.

    Raises:
        BadInput: It wants `deps`, and the request does not say who makes them.
    """
    if agent.deps_type is not None and not run.deps:
        raise BadInput(
            f"{agent.name} wants deps of type {getattr(agent.deps_type, '__name__', agent.deps_type)}.",
            way_out="Name a function that makes them: deps='module:function'.",
        )
    return replace(run, agent=agent.name, source=run.source or agent.source)
