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
from segue.workspace.checks import thread_key
from segue.workspace.opening import OpenWorkspace


class Finding(OpenWorkspace):
    """Runs, traces and conversations that the stores hold."""

    def add(self, *agents: Runnable) -> None:
        """Make agents known by name, so that their runs can be resumed in this process."""
        for agent in agents:
            self._agents[agent.name] = agent

    def get(self, run_id: str, *, principal: Principal = LOCAL) -> Run:
        """A run by its id.

        Raises:
            BadInput: There is no such run in this tenant.
        """
        record = self._record(run_id, principal)
        known = self._agents.get(record.agent)
        return Run(record, known.output if known else None)

    def runs(self, *, principal: Principal = LOCAL, limit: int = 20, thread_id: str | None = None) -> list[Run]:
        """The newest runs of the tenant, newest first."""
        self._must_be_open()
        held = self.records.newest(principal.tenant, limit=limit, thread_id=thread_id)
        return [Run(record, agent.output if (agent := self._agents.get(record.agent)) else None) for record in held]

    async def trace(self, run_id: str, *, principal: Principal = LOCAL) -> list[TraceNode]:
        """The trace of a run as a tree."""
        record = self._record(run_id, principal)
        await asyncio.to_thread(self.tracer.flush)
        return build_tree(self.traces.spans(record.run_id, tenant=record.tenant))

    async def messages(self, thread_id: str, *, agent: Runnable, principal: Principal = LOCAL) -> list[Message]:
        """The conversation of a thread, oldest first; empty where there is none."""
        self._must_be_open()
        snapshot = await self._graph(agent).aget_state(
            {"configurable": {"thread_id": thread_key(principal.tenant, thread_id)}}
        )
        return list(snapshot.values.get("messages", ()))

    def _graph(self, agent: Runnable) -> Any:
        found = self._graphs.get(agent)
        if found is None:
            found = agent.graph.copy({"checkpointer": self.saver})
            self._graphs[agent] = found
        return found

    def _record(self, run_id: str, principal: Principal) -> RunRecord:
        self._must_be_open()
        record = self.records.get(principal.tenant, run_id)
        if record is None:
            held = [each.run_id for each in self.records.newest(principal.tenant, limit=3)]
            raise BadInput(f"there is no run {run_id!r} here; the newest are: {names(held)}")
        return record
