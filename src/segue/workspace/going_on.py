"""Going on: runs that wait, were stopped, failed or crashed, taken up again; and all that go told to stop in order."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from segue.agents.run import Run, RunRecord
from segue.agents.runnable import Runnable
from segue.base.budget import Budget
from segue.base.errors import BadInput
from segue.base.principal import LOCAL, Principal
from segue.context.decisions import Response, response_to_dict
from segue.workspace.answering import answers_for
from segue.workspace.records import cut_short
from segue.workspace.resuming import Superseded, has_newest
from segue.workspace.run import RunHandle
from segue.workspace.starting import Starting
from segue.workspace.telling import note_answers


class GoingOn(Starting):
    """Runs that are resumed, and drained."""

    async def resume(
        self,
        run_id: str,
        answers: Mapping[str, Response] | None = None,
        *,
        agent: Runnable | None = None,
        deps: Any = None,
        principal: Principal = LOCAL,
        budget: Budget | None = None,
    ) -> Run:
        """Go on with a run that waits, was stopped or failed, or that a crash cut short.

        Args:
            run_id: The run's id.
            answers: For a waiting run: a response for each interrupt, by its id; some or all of them. Without any, a
                run goes on whose requests have expired: they count as rejected.
            agent: The agent, where this process has not run it yet (or name it before by `add`).
            deps: As for `start`; they are not kept from the first segment.
            principal: Who answers. The run goes on acting for the one who started it.
            budget: In place of the one that it had; what it has spent still counts. Needed where that one is spent.

        Raises:
            BadInput: No such run in this tenant, it is completed, a rail ended it, a later run went on with its
                thread, or an answer cannot be given. The run is as it was.
            StoreError: Another process has its thread. The run is as it was.
        """
        await self.ensure_open()
        handle = await self.start_resume(run_id, answers, agent=agent, deps=deps, principal=principal, budget=budget)
        return await self._waited(handle)

    async def start_resume(
        self,
        run_id: str,
        answers: Mapping[str, Response] | None = None,
        *,
        agent: Runnable | None = None,
        deps: Any = None,
        principal: Principal = LOCAL,
        budget: Budget | None = None,
    ) -> RunHandle:
        """`resume` in the background."""
        await self.ensure_open()
        record = self._record(run_id, principal)
        if record.run_id in self._running:
            raise BadInput(f"run {run_id} is running already")
        if record.status == "running" and not await self.turns.held(record.tenant, record.thread_id):
            record = cut_short(record)
        agent = agent or self._agents.get(record.agent)
        if agent is None:
            raise BadInput(
                f"run {run_id} belongs to the agent {record.agent!r}, which this process does not know.",
                way_out="Give it: ws.resume(run_id, …, agent=…), or ws.add(agent) before.",
            )
        self._check(agent, deps)
        given = answers_for(record, answers or {}, principal, now=self._clock.now(), budget=budget)
        await self._check_newest(agent, record)
        await note_answers(self.services, record, given, principal)
        if budget is not None:
            record.budget = budget.to_dict()
        tools = {each["id"]: each.get("tool") or "" for each in record.interrupts}
        answered = {key: {**response_to_dict(each), "tool": tools.get(key, "")} for key, each in given.items()}
        return self._launch(agent, record, deps, answered)

    async def _check_newest(self, agent: Runnable, record: RunRecord) -> None:
        """A run can only go on from the newest checkpoint of its thread."""
        try:
            place = self._place(record.thread_id)
            await has_newest(self._graph(agent, record.tenant), place, record)
        except Superseded:
            if record.status == "waiting":
                record.status, record.stop_reason, record.interrupts = "stopped", "cancelled", []
                await self.records.keep(record)
            raise

    async def drain(self, *, timeout_s: float | None = None) -> list[Run]:
        """Take no new runs, have each that goes stop at its next checkpoint, and return them once they have.

        A drained run is `stopped` for the reason `drained`; `resume` goes on with it, here after opening the workspace
        anew or in any other process. What waits for its thread has not begun and is stopped at once.

        Args:
            timeout_s: Seconds after which those that still go are stopped where they stand; `None` waits for as long
                as their steps take.
        """
        self._draining = True
        ends = [handle.drain(timeout_s=timeout_s) for handle in list(self._running.values())]
        ended = await asyncio.gather(*ends, return_exceptions=True)
        return [run for run in ended if isinstance(run, Run)]
