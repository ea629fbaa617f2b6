"""Working off one segment: a run begun or gone on with in a workspace; what it came to, out.

Whatever goes wrong ends here, as an outcome: tried again later, refused, or on the dead-letter list. What is cancelled
stops in order. That a segment may come twice is nothing special: the run's record and checkpoints say where it stands.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import Any, cast

from segue.agents.run import Run, RunRecord
from segue.agents.runnable import Runnable
from segue.base.budget import Budget
from segue.base.errors import BadInput, SegueError, error_id_of
from segue.base.principal import Principal
from segue.context.decisions import Response, response_from_dict
from segue.jobs.port import JobError, Outcome, Rights, Segment
from segue.jobs.store import JobStore, stops
from segue.memory.locks import LockBusy, Locks
from segue.workspace.resuming import Superseded
from segue.workspace.run import RunHandle
from segue.workspace.sections import JobsSection
from segue.workspace.starting import Draining
from segue.workspace.turns import ThreadBusy
from segue.workspace.workspace import Workspace

_log = logging.getLogger("segue.jobs")
Load = Callable[[str], Any]
"""The agent or team at a source. Raises a `UserError` where there is none."""
_WAIT_S = 2.0
"""How long a segment waits, in its slot, for another one of the same run to end."""
_ASK_S = 5.0


class Runner:
    """Works off segments in a workspace; it is the engine's `Work`."""

    def __init__(
        self,
        ws: Workspace,
        store: JobStore,
        settings: JobsSection,
        *,
        load: Load,
        rights: Rights,
        locks: Locks,
        cancelled: Callable[[Segment], Awaitable[bool]],
    ) -> None:
        """`cancelled` tells whether somebody cancelled a segment, or it is its worker that stops."""
        self.ws, self.store, self.settings = ws, store, settings
        self.load, self.rights, self.locks = load, rights, locks
        self.cancelled = cancelled
        self.draining = False
        """Whether what stops now is handed back, for other workers to go on with."""
        self._tasks: dict[tuple[str, str], asyncio.Task[Any]] = {}
        self._handles: dict[tuple[str, str], RunHandle] = {}
        self._killed: set[tuple[str, str]] = set()

    async def __call__(self, segment: Segment) -> Outcome:
        """Work off one segment."""
        if self.draining:
            return Outcome(state="queued")
        key = (segment.tenant, segment.run_id)
        try:
            async with self.locks.hold(_lock(segment), deadline=_WAIT_S):
                self._tasks[key] = _this_task()
                try:
                    return await self._work(segment)
                finally:
                    del self._tasks[key]
                    self._killed.discard(key)
        except LockBusy as busy:
            return self._again(segment, str(busy), delay_s=_WAIT_S)
        except Exception as error:
            return await self._failed(segment, error)

    def kill(self, tenant: str, run_id: str) -> None:
        """Stop a run where it stands, since a kill switch is on; it is held until that is off."""
        key = (tenant, run_id)
        if (task := self._tasks.get(key)) is not None and key not in self._killed:
            self._killed.add(key)
            task.cancel()

    async def drain(self, *, timeout_s: float) -> None:
        """Have every run stop at its next checkpoint, at most after so many seconds, and be handed back."""
        self.draining = True
        ends = [handle.drain(timeout_s=timeout_s) for handle in list(self._handles.values())]
        await asyncio.gather(*ends, return_exceptions=True)

    async def abort(self) -> None:
        """Stop every run where it stands: others may begin with it at any moment."""
        self.draining = True
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _work(self, segment: Segment) -> Outcome:
        if switch := stops(await self.store.switches(), segment.tenant):
            why = f": {switch.reason}" if switch.reason else ""
            return await self._held(segment, f"the kill switch {switch.scope} is on{why}")
        record = self.ws.records.get(segment.tenant, segment.run_id)
        if record is None:
            return Outcome(state="dead", reason=f"there is no record of run {segment.run_id}")
        if (stands := self._stands(segment, record)) is not None:
            return stands
        if segment.current_rights and not await self._with_rights(record):
            return await self._refused(record)
        agent = await self._agent(record)
        await self._check_changes(record, agent)
        deps = await self._deps(segment)
        return await self._run(segment, record, agent, deps)

    def _stands(self, segment: Segment, record: RunRecord) -> Outcome | None:
        """What the run has come to already, where this segment has nothing to add."""
        match record.status:
            case "completed":
                return Outcome(state="completed")
            case "stopped" if not segment.resumed and record.stop_reason not in ("drained", "crashed"):
                state = "cancelled" if record.stop_reason == "cancelled" else "stopped"
                return Outcome(state=state, reason=record.error or str(record.stop_reason))  # type: ignore[arg-type]
            case _:
                return None

    async def _with_rights(self, record: RunRecord) -> bool:
        scopes = await self.rights(record.tenant, record.user)
        if scopes is None:
            return False
        if sorted(scopes) != record.scopes:
            record.scopes = sorted(scopes)
            await self.ws.records.keep(record)
        return True

    async def _agent(self, record: RunRecord) -> Runnable:
        agent = self.load(record.source)
        if not isinstance(agent, Runnable):
            raise BadInput(f"{record.source} is no Agent and no Team")
        if record.agent != agent.name:
            record.agent = agent.name
            await self.ws.records.keep(record)
        return agent

    async def _check_changes(self, record: RunRecord, agent: Runnable) -> None:
        """A run that has begun goes on in a graph that may have changed since: not where something would be lost.

        Raises:
            AgentChanged: Something would be.
        """
        if record.status == "queued":
            return
        whose = Principal(record.tenant, record.user)
        for verdict in await self.ws.check(agent, thread_id=record.thread_id, principal=whose):
            if verdict.run_id == record.run_id and verdict.kind != "resumes":
                raise AgentChanged(record, str(verdict.findings[0]) if verdict.findings else verdict.kind)

    async def _deps(self, segment: Segment) -> Any:
        if not segment.deps:
            return None
        made = _found(segment.deps)()
        return await made if inspect.isawaitable(made) else made

    async def _run(self, segment: Segment, record: RunRecord, agent: Runnable, deps: Any) -> Outcome:
        answers = _open_answers(segment, record)
        by = Principal(segment.tenant, segment.answered_by or record.user, segment.answered_scopes)
        budget = None if segment.budget is None else Budget(**segment.budget)
        try:
            handle = await self.ws.start_resume(
                record.run_id, answers, agent=agent, deps=deps, principal=by, budget=budget
            )
        except (Draining, ThreadBusy) as error:
            return self._not_now(segment, error)
        except Superseded as error:
            return Outcome(state="stopped", reason=str(error))
        except BadInput as error:
            if record.status == "waiting":
                return Outcome(state="waiting", reason=str(error))
            raise
        key = (segment.tenant, segment.run_id)
        self._handles[key] = handle
        try:
            async with asyncio.timeout(self.settings.segment_s):
                run = await handle
        except ThreadBusy as error:
            return self._not_now(segment, error)
        except TimeoutError:
            run = await handle.cancel()
            return Outcome(state="stopped", reason=f"it held its slot for {self.settings.segment_s:g} s")
        except asyncio.CancelledError:
            await _to_its_end(self._stop(segment, handle))
            if key not in self._killed:
                raise
            return await self._held(segment, "a kill switch stopped it")
        finally:
            del self._handles[key]
        return await self._came(segment, run)

    async def _stop(self, segment: Segment, handle: RunHandle) -> None:
        """In order: what a person cancelled is over, what only stops here can go on elsewhere."""
        over = False
        if not self.draining and (segment.tenant, segment.run_id) not in self._killed:
            with suppress(SegueError, TimeoutError):
                async with asyncio.timeout(_ASK_S):
                    over = await self.cancelled(segment)
        with suppress(SegueError):
            await (handle.cancel() if over else handle.drain(timeout_s=0))

    async def _came(self, segment: Segment, run: Run) -> Outcome:
        match run.status:
            case "completed":
                return Outcome(state="completed")
            case "waiting":
                return Outcome(state="waiting", reason=", ".join(each.id for each in run.interrupts))
            case "stopped" if run.stop_reason == "drained":
                return Outcome(state="queued")
            case "stopped" if run.stop_reason == "crashed":
                return self._tried(segment, run.exception, run.error, run.error_id)
            case "stopped":
                state = "cancelled" if run.stop_reason == "cancelled" else "stopped"
                return Outcome(state=state, reason=run.error or str(run.stop_reason))  # type: ignore[arg-type]
            case _:
                return self._tried(segment, run.exception, run.error, run.error_id)

    def _not_now(self, segment: Segment, error: Exception) -> Outcome:
        if isinstance(error, Draining):
            return Outcome(state="queued")
        return self._again(segment, str(error), delay_s=_WAIT_S)

    def _again(self, segment: Segment, reason: str, *, delay_s: float) -> Outcome:
        """It did not begin: the same once more, later and out of the slot."""
        return Outcome(state="failed", reason=reason, then=segment.next("again"), delay_s=delay_s)

    async def _held(self, segment: Segment, reason: str) -> Outcome:
        await self.store.hold(segment.next("held", resumed=True), now=self.ws.services.clock.now())
        return Outcome(state="held", reason=reason)

    async def _refused(self, record: RunRecord) -> Outcome:
        reason = f"{record.user} of {record.tenant} has no rights any more"
        await self._close(record, reason)
        self._notify("error", f"job {record.run_id} is refused: {reason}", record.run_id, "refused", reason)
        return Outcome(state="refused", reason=reason)

    async def _failed(self, segment: Segment, error: Exception) -> Outcome:
        """Something was raised before the run began, or beside it."""
        error_id = error_id_of(error)
        told = str(error) if isinstance(error, SegueError) else f"{type(error).__name__}: {error}"
        if not isinstance(error, SegueError):
            _log.exception("segment %s of run %s failed (%s)", segment.id, segment.run_id, error_id)
        outcome = self._tried(segment, error, told, error_id)
        if outcome.state == "dead":
            with suppress(Exception):
                record = self.ws.records.get(segment.tenant, segment.run_id)
                if record is not None and record.status == "queued":  # one that has begun can go on from where it is
                    record.error_id = error_id
                    await self._close(record, told)
        return outcome

    def _tried(self, segment: Segment, error: BaseException | None, reason: str, error_id: str) -> Outcome:
        """Once more after a pause, where that may help and it was not tried too often; else it is dead."""
        most = segment.max_attempts or self.settings.max_attempts
        if getattr(error, "retryable", False) and segment.attempt < most:
            pause = min(self.settings.backoff_max_s, self.settings.backoff_s * 2 ** (segment.attempt - 1))
            again = segment.next("try", attempt=segment.attempt + 1, resumed=True)
            return Outcome(state="failed", reason=reason, error_id=error_id, then=again, delay_s=pause)
        tries = f" after {segment.attempt} attempts" if segment.attempt > 1 else ""
        title = f"job {segment.run_id} is on the dead-letter list{tries}: {reason}"
        self._notify("error", title, segment.run_id, "dead", reason)
        return Outcome(state="dead", reason=reason, error_id=error_id)

    async def _close(self, record: RunRecord, reason: str) -> None:
        record.status, record.error, record.updated_at = "failed", reason, self.ws.services.clock.now()
        await self.ws.records.keep(record)

    def _notify(self, severity: str, title: str, run_id: str, kind: str, reason: str) -> None:
        if self.ws.services.notifier is not None:
            self.ws.services.notifier.notify(severity, title, {"kind": kind, "run_id": run_id, "error": reason})


class AgentChanged(JobError):
    """The agent of a run that has begun changed so that it cannot go on as it is. The run is as it was."""

    def __init__(self, record: RunRecord, why: str) -> None:
        super().__init__(
            f"{record.agent} changed under run {record.run_id}: {why}",
            way_out="Mend the agent, or bring a migration, and try the job again; see segue check.",
        )


def _open_answers(segment: Segment, record: RunRecord) -> dict[str, Response]:
    """Those that the run still waits for: the first answer counts."""
    asked = {each["id"] for each in record.interrupts} - record.answers.keys()
    return {key: response_from_dict(data) for key, data in segment.answers.items() if key in asked}


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await it to its end, also where the task is cancelled once more meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    with suppress(asyncio.CancelledError):
        task.result()


def _found(source: str) -> Callable[[], Any]:
    """The function that makes `deps`; its module is found where the agent's was."""
    module, _, name = source.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInput(f"deps cannot be made by {source!r}: {error}", way_out="Name it as module:function.") from error
    if not callable(found):
        raise BadInput(f"deps cannot be made by {source!r}: it is a {type(found).__name__}, not a function")
    return cast("Callable[[], Any]", found)


def _lock(segment: Segment) -> str:
    return f"jobs/run/{segment.tenant}/{segment.run_id}"


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


def with_answers(segment: Segment, answers: dict[str, dict[str, Any]], *, by: Principal, number: int) -> Segment:
    """The segment that goes on with a run by what somebody answered; the same for the same interrupts."""
    return replace(
        segment, id=f"{segment.run_id}:{'+'.join(sorted(answers))}", answers=answers, answered_by=by.user,
        answered_scopes=tuple(sorted(by.scopes)), number=number, attempt=1,
    )  # fmt: skip
