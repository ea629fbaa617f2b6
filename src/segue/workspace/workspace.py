"""Workspace: owns what runs need, and starts, resumes and finds runs.

Settings in, open connections while it is open, all of them closed at the end. One workspace belongs to one event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from segue.base.budget import Meter
from segue.base.ids import new_id
from segue.base.principal import LOCAL
from segue.context.run import RunContext
from segue.tracing import About
from segue.workspace.accepting import Accepting
from segue.workspace.alerting import Alerting
from segue.workspace.exporting import Exporting
from segue.workspace.forgetting import Forgetting
from segue.workspace.lineages import Lineages
from segue.workspace.upgrade import Upgrades


class Workspace(Exporting, Upgrades, Accepting, Forgetting, Lineages, Alerting):
    """Where runs happen. Use it as a context manager: `async with Workspace.open() as ws`."""

    @asynccontextmanager
    async def borrowed(self, graph: Any, config: Any, deps: Any) -> AsyncIterator[RunContext[Any]]:
        """A run context for a graph that was started without one, with a trace of its own."""
        await self.ensure_open()
        run_id, trace = new_id("run"), self._trace()
        thread_id = str(((config or {}).get("configurable") or {}).get("thread_id") or run_id)
        self.tracer.runs.put(run_id, About(agent=graph.name, thread_id=thread_id, user=LOCAL.user))
        span = self.tracer.start(
            "run", graph.name, tenant=LOCAL.tenant, trace_id=trace.trace_id, run_id=run_id, parent_id=trace.span_id
        )
        with span:
            yield RunContext(
                run_id=run_id, thread_id=thread_id, trace_id=trace.trace_id, services=self.services, deps=deps,
                meter=Meter(), span_id=span.span_id, borrowed=True,
            )  # fmt: skip
