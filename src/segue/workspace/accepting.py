"""Accepting: a run that is to begin later in, its record out; `resume` begins it, here or in another process.

Who begins it, and when, is decided in `segue.jobs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segue.agents.run import RunRecord
from segue.base.budget import Budget
from segue.base.errors import BadInput
from segue.base.messages import redacted
from segue.base.principal import LOCAL, Principal
from segue.workspace.checks import request_of
from segue.workspace.opening import OpenWorkspace


class Accepting(OpenWorkspace):
    """Runs that are written down before they begin."""

    def accept(
        self,
        request: Any,
        *,
        run_id: str,
        source: str,
        agent: str = "",
        thread_id: str | None = None,
        principal: Principal = LOCAL,
        budget: Budget | None = None,
        tags: Sequence[str] = (),
        traceparent: str | None = "",
    ) -> RunRecord:
        """Write a run down as `queued`, durably when this is back, and return its record.

        The same id again changes nothing, and gives the record as it stands.

        Args:
            request: As for `start`.
            run_id: Its id, unique in the tenant.
            source: Where its agent is defined, as `module:attr`.
            agent: The agent's name, where it is known.
            thread_id: The conversation to go on with; `None` is a new one, named like the run.
            principal: On whose behalf.
            budget: The most it may spend; `None` is no limit.
            tags: What traces that leave the process find it by.
            traceparent: As for `start`.

        Raises:
            BadInput: The request is no message.
            StoreError: The record cannot be written.
        """
        self._must_be_open()
        if not run_id or not source:
            raise BadInput("a run that begins later needs a run_id and a source, as module:attr")
        now, redact, trace = self._clock.now(), self.services.redact, self._trace(traceparent)
        record = RunRecord(
            run_id=run_id,
            thread_id=thread_id or run_id,
            tenant=principal.tenant,
            user=principal.user,
            scopes=sorted(principal.scopes),
            agent=agent,
            source=source,
            trace_id=trace.trace_id,
            request=[dict(redacted(each, redact)) for each in request_of(request)],
            started_at=now,
            updated_at=now,
            status="queued",
            budget=(budget or Budget()).to_dict(),
            tags=list(tags),
            parent_span_id=trace.span_id,
        )
        if self.records.add(record):
            return record
        return self.records.get(principal.tenant, run_id) or record
