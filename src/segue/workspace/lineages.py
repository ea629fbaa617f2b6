"""Lineages of a workspace: a run or a document in; what its answer came from, or the answers that used it, out.

What is read of the stores is put together in `lineage`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from segue.agents.run import RunRecord
from segue.base.principal import LOCAL, Principal
from segue.tracing.spans import SpanRow
from segue.tracing.uses import Use
from segue.workspace.finding import Finding

if TYPE_CHECKING:
    from segue.workspace.lineage import AnswerUsing, Lineage


class Lineages(Finding):
    """Where answers came from."""

    async def lineage(self, run_id: str, *, principal: Principal = LOCAL) -> Lineage:
        """What the answer of a run came from.

        Raises:
            BadInput: There is no such run in this tenant.
            StoreError: The traces cannot be read.
        """
        from segue.workspace.lineage import lineage_of

        record = self._record(run_id, principal)
        await asyncio.to_thread(self.tracer.flush)
        spans, used, before = await asyncio.to_thread(self._traced, record)
        return lineage_of(record, spans, used, before)

    async def answers_using(
        self, *, document: str, version: str = "", principal: Principal = LOCAL, limit: int = 1_000
    ) -> list[AnswerUsing]:
        """The runs whose models read a document, newest first.

        Args:
            document: Its path as citations have it, or the end of it: `returns.md`.
            version: The beginning of a version's hash; empty for all versions.
            principal: Whose tenant.
            limit: How many reads are looked at.

        Raises:
            StoreError: The traces cannot be read.
        """
        self._must_be_open()
        await asyncio.to_thread(self.tracer.flush)
        return await asyncio.to_thread(self._using, document, version, principal.tenant, limit)

    def _traced(self, record: RunRecord) -> tuple[list[SpanRow], list[Use], list[Use]]:
        spans = self.traces.spans(record.run_id, tenant=record.tenant)
        used = self.traces.uses(record.run_id, tenant=record.tenant)
        thread = self.records.newest(record.tenant, limit=-1, thread_id=record.thread_id)
        earlier = [each for each in thread if each.started_at < record.started_at]
        held = (use for each in earlier for use in self.traces.uses(each.run_id, tenant=record.tenant))
        return spans, used, [each for each in held if each.what == "document"]

    def _using(self, document: str, version: str, tenant: str, limit: int) -> list[AnswerUsing]:
        from segue.workspace.lineage import answer_using

        found: dict[tuple[str, str, str], Use] = {}
        for use in self.traces.uses_of(document, tenant=tenant, version=version, limit=limit):
            found.setdefault((use.run_id, use.name, use.version), use)
        records = {run_id: self.records.get(tenant, run_id) for run_id, _, _ in found}
        return [answer_using(use, records[use.run_id]) for use in found.values()]
