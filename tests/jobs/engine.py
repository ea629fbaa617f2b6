"""An engine in memory, for tests: segments in a dict, worked off where a test says so."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from segue.jobs.port import JobState, Segment, SegmentStatus, Work, Working


@dataclass
class MemoryEngine:
    """See `Engine`. `step` works off what is queued and due; a delay is over when `delays_over` is called."""

    rows: dict[tuple[str, str], SegmentStatus] = field(default_factory=dict)
    _count: Any = field(default_factory=lambda: itertools.count(1))

    async def put(self, segment: Segment, *, delay_s: float = 0.0) -> bool:
        key = (segment.tenant, segment.id)
        if key in self.rows:
            return False
        state: JobState = "delayed" if delay_s > 0 else "queued"
        self.rows[key] = SegmentStatus(segment=segment, state=state, queued_at=float(next(self._count)))
        return True

    async def cancel(self, tenant: str, ids: Sequence[str]) -> None:
        for each in ids:
            self._set(self.rows[tenant, each], state="cancelled")

    async def of_run(self, tenant: str, run_id: str) -> list[SegmentStatus]:
        found = [each for each in self.rows.values() if (each.segment.tenant, each.segment.run_id) == (tenant, run_id)]
        return sorted(found, key=lambda each: each.segment.number, reverse=True)

    async def newest(
        self, tenant: str | None, *, states: Sequence[JobState] = (), limit: int = 50
    ) -> list[SegmentStatus]:
        found = [
            each
            for each in self.rows.values()
            if tenant in (None, each.segment.tenant) and (not states or each.state in states)
        ]
        return sorted(found, key=lambda each: each.queued_at, reverse=True)[:limit]

    async def forget(self, before: float) -> int:
        return 0

    def delays_over(self) -> None:
        for row in list(self.rows.values()):
            if row.state == "delayed":
                self._set(row, state="queued")

    async def step(self, work: Work) -> list[str]:
        """Work off what is queued, smaller priority first; the ids of the segments."""
        queued = [each for each in self.rows.values() if each.state == "queued"]
        due = sorted(queued, key=lambda each: (each.segment.priority, each.queued_at))
        for row in due:
            self._set(row, state="running", deliveries=row.deliveries + 1)
            outcome = await work(row.segment)
            if outcome.then is not None:
                await self.put(outcome.then, delay_s=outcome.delay_s)
            self._set(row, state=outcome.state, reason=outcome.reason, error_id=outcome.error_id)
        return [each.segment.id for each in due]

    def _set(self, row: SegmentStatus, **changes: Any) -> None:
        key = (row.segment.tenant, row.segment.id)
        self.rows[key] = replace(self.rows[key], **changes)

    def work(self, work: Work, *, slots: int) -> AbstractAsyncContextManager[Working]:
        raise AssertionError("a test calls `step`")
