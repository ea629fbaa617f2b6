"""Forgetting: a run, a thread or a user in; their traces gone, with the artefacts that nobody else has.

What is not touched: records of runs, checkpoints and effects, which are state and not traces; the audit log, which
holds ids and keyed hashes only; and what was sent elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from segue.base.errors import BadInput
from segue.base.principal import LOCAL, Principal
from segue.tracing.store import Forgotten
from segue.workspace.finding import Finding
from segue.workspace.sweeping import sweep


class Forgetting(Finding):
    """Traces that are taken out before their time, and after it."""

    async def forget_traces(
        self,
        run_id: str = "",
        *,
        thread_id: str = "",
        user: str = "",
        principal: Principal = LOCAL,
        keep_artefacts: bool = False,
    ) -> Forgotten:
        """Take out the spans of one run, of all runs of a thread, or of all runs on behalf of a user.

        With them go the artefacts that only their tool calls made: a conversation that names one names it in vain then.

        Args:
            run_id: The run; it may have no record any more.
            thread_id: Instead, the thread.
            user: Instead, the user.
            principal: Whose tenant.
            keep_artefacts: Leave artefacts where they are.

        Raises:
            BadInput: None or several of the three are given, or one of the runs goes on here.
            StoreError: They cannot be taken out.
        """
        self._must_be_open()
        if sum(map(bool, (run_id, thread_id, user))) != 1:
            raise BadInput("say what to forget by one of run_id, thread_id and user")
        found = await asyncio.to_thread(self._runs_to_forget, run_id, thread_id, user, principal.tenant)
        if going := [each for each in found if each in self._running]:
            raise BadInput(f"run {going[0]} goes on: its spans are still being made.", way_out="Cancel it first.")
        await asyncio.to_thread(self.tracer.flush)
        forgotten = await asyncio.to_thread(self.traces.forget, found, tenant=principal.tenant)
        if keep_artefacts:
            return Forgotten(forgotten.spans)
        for artefact_id in forgotten.artefacts:
            await asyncio.to_thread(self.artefacts.erase, principal.tenant, artefact_id)
        return forgotten

    async def sweep_traces(self) -> int:
        """Take out now what is older than `[tracing] keep_days` says; how many spans that were.

        Raises:
            StoreError: They cannot be taken out.
        """
        self._must_be_open()
        return await asyncio.to_thread(sweep, self.settings.tracing, self.traces, self._clock.now())

    def _runs_to_forget(self, run_id: str, thread_id: str, user: str, tenant: str) -> Sequence[str]:
        if run_id:
            return [run_id]
        if user:
            return self.records.of_user(tenant, user)
        return [each.run_id for each in self.records.newest(tenant, limit=-1, thread_id=thread_id)]
