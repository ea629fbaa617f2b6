"""Dispatch: a run that a client asks for in, a promise that it ends out; and the promises of a process that died, kept.

A promise is durable before it is given: the run is written down, and so is that it was accepted, and by which server.
The run begins at once, in this process. What a dead server had promised, another one takes over: the next one on the
folder, or any that shares the database.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from segue.agents.run import RunRecord
from segue.agents.runnable import Runnable
from segue.base.budget import Budget
from segue.base.errors import BadInput, SegueError, StoreError
from segue.base.ids import new_id
from segue.base.principal import Principal
from segue.context.decisions import Response, response_from_dict, response_to_dict
from segue.memory.database import Clash
from segue.server.errors import NotNow, TooMany
from segue.server.hub import Hub, ended
from segue.server.keys import Key
from segue.server.presence import Presence
from segue.server.registry import Registry
from segue.server.rights import CurrentRights
from segue.server.store import Accepted, ServerStore
from segue.workspace.answering import answers_for
from segue.workspace.run import RunHandle
from segue.workspace.starting import Draining
from segue.workspace.turns import ThreadBusy, ThreadLost
from segue.workspace.workspace import Workspace

_log = logging.getLogger("segue.server")
_BUSY_S = 2.0
"""How long a run waits, besides, whose thread another process has."""
_GOES_ON = ("drained", "crashed")
"""Why a run stopped that was not to stop."""
_RETRY_S = 5
_LOOK_S = 1.0
"""How often what other servers promised, and what they ask for, is looked at."""
_POLL_S = 0.2
"""How often it is looked at what a run in another process has come to."""
_STOP_S = 10.0
"""How long a cancel waits for another server to stop a run."""
_UNDER_WAY = ("queued", "running")
Deps = Callable[[Principal], Any]
"""Makes the `deps` of a run, for whoever it is for; may be async."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A run that a client asks for."""

    agent: str
    request: Any
    thread_id: str | None = None
    budget: Mapping[str, Any] | None = None
    tags: tuple[str, ...] = ()
    traceparent: str | None = None
    """The header of the client's, where the settings take it; `None` where they do not: the web framework, too, takes
    a client's trace for its own span where the process has OpenTelemetry, and a run must not follow it there."""


class Dispatch:
    """Runs that were accepted."""

    def __init__(
        self,
        ws: Workspace,
        store: ServerStore,
        hub: Hub,
        registry: Registry,
        presence: Presence,
        *,
        rights: CurrentRights,
        deps: Deps | None,
        most: int,
        shared: bool = False,
    ) -> None:
        """`most`: runs at a time of a key that has no limit of its own. `shared`: whether other servers may live."""
        self.ws, self.store, self.hub, self.registry = ws, store, hub, registry
        self._presence, self._shared = presence, shared
        self._rights, self._deps, self._most = rights, deps, most
        self._left: set[tuple[str, str]] = set()
        """What is left to others, since its agent is not served here."""
        self._handles: dict[tuple[str, str], RunHandle] = {}
        self._going: Counter[tuple[str, str]] = Counter()
        self._resuming: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        ws.watch(self._begun)

    async def begin(self, wanted: Wanted, key: Key) -> RunRecord:
        """Accept a run and begin it.

        Raises:
            NotThere: No such agent.
            BadInput: The request is no message, or the budget none.
            TooMany: The key has as many runs under way as it may.
        """
        self._must_have_room(key)
        agent, principal = self.registry.get(wanted.agent), key.principal
        deps = await self._made(agent, principal)
        record = self.ws.accept(
            wanted.request, run_id=new_id("run"), source=agent.source or f"agent:{agent.name}", agent=agent.name,
            thread_id=wanted.thread_id, principal=principal, budget=Budget(**(wanted.budget or {})), tags=wanted.tags,
            traceparent=wanted.traceparent,
        )  # fmt: skip
        accepted = await self._promise(record.tenant, record.run_id, agent, {})
        self._watch(accepted, await self._start(accepted, agent, deps), key)
        return record

    async def resume(
        self, record: RunRecord, answers: Mapping[str, Response], key: Key, *, budget: Mapping[str, Any] | None = None
    ) -> RunRecord:
        """Accept that a run goes on, by answers where it waits for some, and go on with it.

        Raises:
            NotNow: It cannot go on: it is completed or under way, a later run went on with its thread, or whoever it
                acts for has no rights any more.
            NotThere: Its agent is not served any more.
            BadInput: An answer cannot be given, or the budget is none. The run waits on.
            TooMany: As `begin`.
        """
        self._must_have_room(key)
        allowance = Budget(**budget) if budget else None
        check_state(record, busy=False)
        answers_for(record, answers, key.principal, now=self._now(), budget=allowance)
        await self._narrow(record)
        agent = self.registry.get(record.agent)
        deps = await self._made(agent, _principal(record))
        body = {
            "answers": {name: response_to_dict(each) for name, each in answers.items()}, "by": key.user,
            "scopes": list(key.scopes), "budget": None if allowance is None else allowance.to_dict(),
            "was": record.updated_at,
        }  # fmt: skip
        with self._alone(record):
            accepted = await self._promise(record.tenant, record.run_id, agent, body)
            try:
                handle = await self._start(accepted, agent, deps)
            except SegueError:
                await self.store.settle(accepted)
                raise
        self._watch(accepted, handle, key)
        return record

    @contextmanager
    def _alone(self, record: RunRecord) -> Iterator[None]:
        """A double click goes on with a run once."""
        key = (record.tenant, record.run_id)
        check_state(record, busy=key in self._resuming or key in self._handles)
        self._resuming.add(key)
        try:
            yield
        finally:
            self._resuming.discard(key)

    async def fork(self, thread_id: str, checkpoint_id: str, key: Key, **options: Any) -> RunRecord:
        """Fork a thread and begin the fork; back once it has begun. Options as `Workspace.start_fork` takes them.

        Raises:
            BadInput: There is no such checkpoint, or the change does not fit.
            NotNow: Its thread is busy, or the fork ended before it began.
        """
        self._must_have_room(key)
        agent = self.registry.get(self.ws.runs(principal=key.principal, thread_id=thread_id, limit=1)[0].record.agent)
        deps = await self._made(agent, key.principal)
        try:
            handle = await self.ws.start_fork(
                thread_id, checkpoint_id, agent=agent, deps=deps, principal=key.principal, **options
            )
        except (TypeError, ValueError, KeyError) as error:  # of a reducer that is given what it does not take
            raise BadInput(f"the state cannot be changed so: {type(error).__name__}: {error}") from error
        accepted = await self._promise(key.tenant, handle.id, agent, {})
        self._watch(accepted, handle, key)
        async for _ in handle.events():
            break
        record = self.ws.records.get(key.tenant, handle.id)
        if record is None:
            raise NotNow("the fork could not begin: its thread is busy", way_out="Try again.")
        return record

    async def cancel(self, record: RunRecord) -> RunRecord:
        """Stop a run in order; one that has ended stays as it is. Another server that has it is told to.

        Raises:
            NotNow: It goes on in a process that is no server.
        """
        whose = (record.tenant, record.run_id)
        if (handle := self._handles.get(whose)) is not None:
            return (await handle.cancel()).record
        goes = record.status in _UNDER_WAY or record.stop_reason in _GOES_ON
        if self._shared and goes and await self.store.ask_to_stop(*whose, besides=self._presence.name):
            await self._look_until(record, _STOP_S)
            return self.ws.records.get(*whose) or record
        if record.status == "running":
            raise NotNow(f"run {record.run_id} goes on in another process", way_out="Cancel it there.")
        if record.status in ("queued", "waiting") or record.stop_reason in _GOES_ON:
            await self._close(record)
        return record

    async def _close(self, record: RunRecord) -> None:
        """A run that does not go is over."""
        record.status, record.stop_reason, record.interrupts = "stopped", "cancelled", []
        record.error, record.updated_at = "", self._now()
        await self.ws.records.keep(record)
        await self.store.let_go(record.tenant, record.run_id)

    def handle(self, record: RunRecord) -> RunHandle | None:
        """The handle of a run that goes on here."""
        return self._handles.get((record.tenant, record.run_id))

    async def join(self, record: RunRecord, timeout_s: float | None) -> None:
        """Wait until it ends or waits for a person, or until the time is over."""
        if (handle := self.handle(record)) is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await ended(handle)
        elif record.status in _UNDER_WAY or await self._is_promised(record):
            await self._look_until(record, timeout_s)

    async def _is_promised(self, record: RunRecord) -> bool:
        """Whether a run that stopped and was not to is about to be taken over, or one that waits has been answered."""
        goes_on = record.status == "waiting" or record.stop_reason in _GOES_ON
        return goes_on and await self.store.promised(record.tenant, record.run_id)

    async def _look_until(self, record: RunRecord, timeout_s: float | None) -> None:
        """Until a run in another process does not go any more, as its record says."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while True:
                    await asyncio.sleep(_POLL_S)
                    held = self.ws.records.get(record.tenant, record.run_id)
                    if held is None or not (held.status in _UNDER_WAY or await self._is_promised(held)):
                        return

    async def run(self) -> None:
        """Take over what dead servers had promised, and stop what others ask for, until it is cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await self._stop_what_is_asked()
                await self.recover()
            except StoreError as error:
                _log.warning("other servers cannot be looked at: %s", error)

    async def _stop_what_is_asked(self) -> None:
        for whose in await self.store.to_stop(self._presence.name):
            if (handle := self._handles.get(whose)) is not None:
                await handle.cancel()
            elif (record := self.ws.records.get(*whose)) is not None:
                await self._close(record)

    async def recover(self) -> int:
        """Go on with what servers had accepted that are dead; how many runs that are."""
        promises = await self.store.accepted()
        owners = {each.owner for each in promises} - {self._presence.name}
        dead = {owner for owner in owners if await self._presence.is_dead(owner)}
        count = 0
        for accepted in promises:
            if accepted.owner in dead and not self._closing and self._serves(accepted):
                mine = replace(accepted, owner=self._presence.name)
                if await self.store.take_over(accepted, mine.owner):
                    count += await self._recovered(mine)
        return count

    def _serves(self, accepted: Accepted) -> bool:
        """Whether this server can go on with it; where others may, it leaves to them what it cannot."""
        key = (accepted.tenant, accepted.run_id)
        if not self._shared or self.registry.find(accepted.agent) is not None:
            return True
        if key not in self._left:
            self._left.add(key)
            _log.warning("run %s waits for a server that serves %s", accepted.run_id, accepted.agent)
        return False

    async def close(self, timeout_s: float) -> None:
        """Have every run stop at its next checkpoint; the next process goes on with it."""
        self._closing = True
        await asyncio.gather(
            *(each.drain(timeout_s=timeout_s) for each in self._handles.values()), return_exceptions=True
        )
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)

    async def _recovered(self, accepted: Accepted) -> bool:
        record = self.ws.records.get(accepted.tenant, accepted.run_id)
        if record is None or _is_over(record, accepted):
            await self.store.settle(accepted)
            if record is not None:
                await self.hub.finish(record)
            return False
        try:
            agent = self.registry.find(accepted.agent) or self.registry.by_source(record.source)
            await self._narrow(record)
            handle = await self._start(accepted, agent, await self._made(agent, _principal(record)))
        except StoreError:
            raise
        except SegueError as error:
            _log.error("run %s was accepted and cannot go on: %s", record.run_id, error)
            record.status, record.error, record.error_id = "failed", str(error), error.error_id
            await self.ws.records.keep(record)
            await self.store.settle(accepted)
            await self.hub.finish(record)
            return False
        self._watch(accepted, handle, None)
        return True

    async def _start(self, accepted: Accepted, agent: Runnable, deps: Any) -> RunHandle:
        body = accepted.body
        record = self.ws.get(accepted.run_id, principal=Principal(accepted.tenant, "")).record
        asked = {each["id"] for each in record.interrupts} - record.answers.keys()
        answers = {key: response_from_dict(each) for key, each in body.get("answers", {}).items() if key in asked}
        by = Principal(record.tenant, body.get("by") or record.user, body.get("scopes", record.scopes))
        budget = Budget(**body["budget"]) if body.get("budget") else None
        return await self.ws.start_resume(
            record.run_id, answers, agent=agent, deps=deps, principal=by, budget=budget
        )  # fmt: skip

    def _watch(self, accepted: Accepted, handle: RunHandle, key: Key | None) -> None:
        counted = (key.tenant, key.id) if key is not None else ("", "")
        self._going[counted] += 1
        task = asyncio.get_running_loop().create_task(self._to_the_end(accepted, handle, counted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _to_the_end(self, accepted: Accepted, handle: RunHandle, counted: tuple[str, str]) -> None:
        try:
            going: RunHandle | None = handle
            while going is not None and not await self._ended(accepted, going):
                going = await self._again(accepted)
        except SegueError as error:
            _log.error("run %s cannot go on: %s", accepted.run_id, error)
        finally:
            self._going[counted] -= 1

    async def _ended(self, accepted: Accepted, handle: RunHandle) -> bool:
        """Whether this stretch is over; else it could not begin, lost its thread or its store, and is tried again."""
        try:
            run = await handle
        except ThreadBusy:
            return self._closing
        except (Draining, asyncio.CancelledError):
            return True
        if isinstance(run.exception, ThreadLost):
            return self._closing
        if run.status == "stopped" and run.stop_reason in _GOES_ON:
            return True
        try:
            await self.store.settle(accepted)
        except StoreError as error:
            _log.warning("that run %s has ended cannot be written yet: %s", accepted.run_id, error)
            return False
        return True

    async def _again(self, accepted: Accepted) -> RunHandle | None:
        """Go on with a run that did not come to its end; `None` where it is over, or another server has it by now."""
        while not self._closing:
            await asyncio.sleep(_BUSY_S)
            try:
                record = self.ws.records.get(accepted.tenant, accepted.run_id)
                if record is None or _is_over(record, accepted):
                    await self.store.settle(accepted)
                    return None
                if not await self.store.owns(accepted):
                    return None
                agent = self.registry.get(accepted.agent)
                return await self._start(accepted, agent, await self._made(agent, _principal(record)))
            except StoreError as error:
                _log.warning("run %s cannot go on yet: %s", accepted.run_id, error)
        return None

    async def _promise(self, tenant: str, run_id: str, agent: Runnable, body: dict[str, Any]) -> Accepted:
        """Say durably that this server sees a run to its end.

        Raises:
            NotNow: Another server has it.
        """
        name = self._presence.name
        accepted = Accepted(tenant=tenant, run_id=run_id, agent=agent.name, body=body, owner=name)
        try:
            await self.store.accept(accepted, now=self._now())
        except Clash:
            raise NotNow(f"run {run_id} is under way", way_out="Wait for it, or cancel it.") from None
        return accepted

    def _begun(self, tenant: str, handle: RunHandle) -> None:
        """Whatever begins in the workspace, by whomever."""
        key = (tenant, handle.id)
        self._handles[key] = handle
        self.hub.follow(tenant, handle)

        async def forget() -> None:
            await ended(handle)
            if self._handles.get(key) is handle:
                del self._handles[key]

        task = asyncio.get_running_loop().create_task(forget())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _narrow(self, record: RunRecord) -> None:
        if await self._rights.narrow(record):
            await self.ws.records.keep(record)

    def _must_have_room(self, key: Key) -> None:
        most = key.concurrent_runs or self._most
        if self._closing:
            raise Draining()
        if self._going[key.tenant, key.id] >= most:
            raise TooMany(f"runs at a time: {most} are under way", _RETRY_S)

    async def _made(self, agent: Runnable, principal: Principal) -> Any:
        if agent.deps_type is None:
            return None
        if self._deps is None:
            raise BadInput(
                f"{agent.name} wants deps of type {getattr(agent.deps_type, '__name__', agent.deps_type)}.",
                way_out="Say who makes them: [server] deps = 'module:function', or app(…, deps=…).",
            )
        made = self._deps(principal)
        return await made if inspect.isawaitable(made) else made

    def _now(self) -> float:
        return self.ws.services.clock.now()


def _principal(record: RunRecord) -> Principal:
    return Principal(record.tenant, record.user, record.scopes)


def check_state(record: RunRecord, *, busy: bool) -> None:
    """Whether a run can go on at all.

    Raises:
        NotNow: It is completed, under way, or a rail ended it.
    """
    if busy or record.status in ("running", "queued"):
        raise NotNow(f"run {record.run_id} is under way", way_out="Wait for it, or cancel it.")
    if record.status == "completed" or record.stop_reason == "blocked":
        raise NotNow(f"run {record.run_id} has ended: its status is {record.status!r}", way_out="Begin a new one.")


def _is_over(record: RunRecord, accepted: Accepted) -> bool:
    """Whether nothing is left to do of what was promised."""
    if record.status in ("running", "queued") or record.stop_reason in _GOES_ON:
        return False
    return accepted.body.get("was") != record.updated_at
