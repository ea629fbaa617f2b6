"""Finding: what ran in a workspace, by its id, its thread or its time, within one tenant."""

from __future__ import annotations

import asyncio
from typing import Any

from segue.agents.run import Run, RunRecord
from segue.agents.runnable import Runnable
from segue.base.errors import BadInput, names
from segue.base.messages import Message
from segue.base.principal import LOCAL, Principal
from segue.tracing import TraceNode, build_tree
from segue.workspace.opening import OpenWorkspace
from segue.workspace.records import cut_short


class Finding(OpenWorkspace):
    """Runs, traces and conversations that the stores hold."""

    def add(self, *agents: Runnable) -> None:
        """Make agents known by name, so that their runs can be resumed in this process."""
        for agent in agents:
            self._agents[agent.name] = agent

    def get(self, run_id: str, *, principal: Principal = LOCAL) -> Run:
        """A run by its id. One whose process died is shown as `stopped`, for the reason `crashed`.

        Raises:
            BadInput: There is no such run in this tenant.
        """
        return self._run_of(self._record(run_id, principal))

    def runs(
        self, *, principal: Principal = LOCAL, limit: int = 20, thread_id: str | None = None, before: str = ""
    ) -> list[Run]:
        """The newest runs of the tenant, newest first; `before`: of those that began before this run."""
        self._must_be_open()
        held = self.records.newest(principal.tenant, limit=limit, thread_id=thread_id, before=before)
        return [self._run_of(self._seen(record)) for record in held]

    async def recoverable(self, *, principal: Principal = LOCAL) -> list[Run]:
        """The runs of the tenant that a crash cut short, newest first; `resume` goes on with each."""
        self._must_be_open()
        found = [record for record in self.records.running(principal.tenant) if record.run_id not in self._running]
        dead = [each for each in found if not await self.turns.held(each.tenant, each.thread_id)]
        return [self._run_of(cut_short(record)) for record in dead]

    def threads(self, *, principal: Principal = LOCAL, limit: int = 20) -> list[tuple[str, int, float]]:
        """The tenant's threads: id, how many runs, when the last one changed (seconds since 1970); newest first."""
        self._must_be_open()
        return self.records.threads(principal.tenant, limit=limit)

    async def trace(self, run_id: str, *, principal: Principal = LOCAL) -> list[TraceNode]:
        """The trace of a run as a tree."""
        record = self._record(run_id, principal)
        await asyncio.to_thread(self.tracer.flush)
        return build_tree(await asyncio.to_thread(self.traces.spans, record.run_id, tenant=record.tenant))

    async def messages(self, thread_id: str, *, agent: Runnable, principal: Principal = LOCAL) -> list[Message]:
        """The conversation of a thread, oldest first; empty where there is none."""
        self._must_be_open()
        snapshot = await self._graph(agent, principal.tenant).aget_state(self._place(thread_id))
        return list(snapshot.values.get("messages", ()))

    def _graph(self, agent: Runnable, tenant: str) -> Any:
        """The agent's graph with the checkpoints of one tenant; made once for each."""
        held = self._graphs.setdefault(agent, {})
        if tenant not in held:
            held[tenant] = agent.graph.copy({"checkpointer": self.saver.for_tenant(tenant)})
        return held[tenant]

    def _place(self, thread_id: str, checkpoint_id: str = "") -> dict[str, Any]:
        """Where the checkpoints of a thread lie, as LangGraph is told; whose they are, the graph's saver knows."""
        found = {"thread_id": thread_id}
        return {"configurable": {**found, "checkpoint_id": checkpoint_id} if checkpoint_id else found}

    def _run_of(self, record: RunRecord) -> Run:
        known = self._agents.get(record.agent)
        return Run(record, known.output if known else None, _looked_at=self._clock.now())

    def _record(self, run_id: str, principal: Principal) -> RunRecord:
        self._must_be_open()
        record = self.records.get(principal.tenant, run_id)
        if record is None:
            held = [each.run_id for each in self.records.newest(principal.tenant, limit=3)]
            raise BadInput(f"there is no run {run_id!r} here; the newest are: {names(held)}")
        return self._seen(record)

    def _seen(self, record: RunRecord) -> RunRecord:
        """The record with the status of now: a run that is written down as running may have lost its process."""
        if record.status != "running" or record.run_id in self._running:
            return record
        return record if self.turns.held_now(record.tenant, record.thread_id) else cut_short(record)
